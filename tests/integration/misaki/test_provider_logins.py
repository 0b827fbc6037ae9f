"""Logging in to a real misaki with accounts of a real OpenID Connect provider."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

# The provider speaks plain HTTP on a loopback address here.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import grpc
import httpx
import pytest
from hanami.misaki.v1 import (
    provider_login_service_pb2 as pb,
)
from hanami.misaki.v1 import (
    provider_login_service_pb2_grpc,
    token_service_pb2,
    user_service_pb2,
)

from tests.integration.meshes import ADMIN_ID, RunningMisaki, bearer, start_misaki
from tests.integration.statuses import refusal
from tests.oidc import CLIENT_ID, CLIENT_SECRET, Account, OidcServer, running_oidc

pytestmark = pytest.mark.filterwarnings("ignore::authlib.deprecate.AuthlibDeprecationWarning")

REDIRECT = "http://127.0.0.1:45678/callback"
COMPANY = "loginProviders/company"


@pytest.fixture(scope="module")
def shared_provider() -> Iterator[OidcServer]:
    """Run one provider for all tests: its key takes a while to make."""
    with running_oidc() as provider:
        yield provider


@pytest.fixture
def provider(shared_provider: OidcServer) -> OidcServer:
    """Return the provider as it was at first."""
    shared_provider.account = Account(
        "subject-1", {"preferred_username": "alice", "name": "Alice Liddell"}
    )
    shared_provider.claims = {}
    return shared_provider


@asynccontextmanager
async def _misaki(
    folder: Path, provider: OidcServer, settings: str = "", **changes: Any
) -> AsyncIterator[RunningMisaki]:
    secret = folder / "client-secret"
    secret.write_text(CLIENT_SECRET)
    file = folder / "oidc.toml"
    file.write_text(
        f'[providers.company]\nissuer = "{provider.issuer}"\nclient_id = "{CLIENT_ID}"\n'
        f'client_secret_file = "{secret}"\ndisplay_name = "The company"\n{settings}\n'
    )
    async with start_misaki(folder / "misaki", oidc_file=file, **changes) as misaki:
        yield misaki


def _logins(
    misaki: RunningMisaki,
) -> "provider_login_service_pb2_grpc.ProviderLoginServiceAsyncStub":
    return provider_login_service_pb2_grpc.ProviderLoginServiceStub(misaki.channel)


async def _start(misaki: RunningMisaki, redirect: str = REDIRECT) -> pb.StartProviderLoginResponse:
    return await _logins(misaki).StartProviderLogin(
        pb.StartProviderLoginRequest(provider=COMPANY, redirect_uri=redirect)
    )


async def _browse(url: str) -> dict[str, str]:
    """Return what the provider sends the browser back with."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(url)
    assert 302 == answer.status_code, answer.text
    assert answer.headers["location"].startswith(REDIRECT)
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    return {name: values[0] for name, values in query.items()}


async def _finish(
    misaki: RunningMisaki, back: dict[str, str], handle: str, project: str = ""
) -> token_service_pb2.TokenPair:
    return await _logins(misaki).FinishProviderLogin(
        pb.FinishProviderLoginRequest(
            state=back["state"], code=back["code"], handle=handle, project=project
        )
    )


async def _log_in(misaki: RunningMisaki) -> token_service_pb2.TokenPair:
    started = await _start(misaki)
    return await _finish(misaki, await _browse(started.authorization_url), started.handle)


async def test_first_login_makes_a_user_and_the_next_finds_it(
    tmp_path: Path, provider: OidcServer
) -> None:
    """Code, PKCE and nonce go through a real provider, and the tokens are ours."""
    async with _misaki(tmp_path, provider) as misaki:
        first = await _log_in(misaki)
        provider.account.claims["preferred_username"] = "renamed"
        second = await _log_in(misaki)
        user = await misaki.users.GetUser(
            user_service_pb2.GetUserRequest(name="users/me"), metadata=bearer(first.access_token)
        )
        refreshed = await misaki.refresh(second.refresh_token)
        password = await refusal(misaki.log_in("alice", "anything at all"))

    assert ["users/alice"] * 3 == [pair.user for pair in (first, second, refreshed)]
    assert ("Alice Liddell", False) == (user.display_name, user.admin)
    assert "CREDENTIALS_INVALID" == password.reason


async def test_providers_are_listed(tmp_path: Path, provider: OidcServer) -> None:
    """A page can offer them before anybody is logged in; secrets are not told."""
    async with _misaki(tmp_path, provider) as misaki:
        answer = await _logins(misaki).ListLoginProviders(pb.ListLoginProvidersRequest())

    expected = pb.LoginProvider(name=COMPANY, display_name="The company", issuer=provider.issuer)
    assert [expected] == list(answer.login_providers)


async def test_without_providers_there_is_nothing_to_start(misaki: RunningMisaki) -> None:
    """An installation with passwords only lists none."""
    answer = await _logins(misaki).ListLoginProviders(pb.ListLoginProvidersRequest())
    start = await refusal(_start(misaki))

    assert [] == list(answer.login_providers)
    assert (grpc.StatusCode.NOT_FOUND, {"resource": COMPANY}) == (start.code, start.metadata)


async def test_login_is_finished_once_and_with_its_handle(
    tmp_path: Path, provider: OidcServer
) -> None:
    """A stolen code is worth nothing without the handle, and a used login is over."""
    async with _misaki(tmp_path, provider) as misaki:
        started, other = await _start(misaki), await _start(misaki)
        back = await _browse(started.authorization_url)
        stolen = await refusal(_finish(misaki, back, other.handle))
        late = await refusal(_finish(misaki, back, started.handle))
        mixed = await refusal(
            _finish(
                misaki,
                {**back, "state": (await _browse(other.authorization_url))["state"]},
                other.handle,
            )
        )

    assert {"CREDENTIALS_INVALID"} == {answer.reason for answer in (stolen, late, mixed)}


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "somebody-else"},
        {"iss": "https://elsewhere.example.org"},
        {"exp": 1},
        {"nonce": "another"},
        {"azp": "somebody-else"},
    ],
    ids=lambda claims: next(iter(claims)),
)
async def test_unfit_id_tokens_log_nobody_in(
    tmp_path: Path, provider: OidcServer, claims: dict[str, Any]
) -> None:
    """A good signature alone is not enough."""
    provider.claims = claims
    async with _misaki(tmp_path, provider) as misaki:
        started = await _start(misaki)
        answer = await refusal(
            _finish(misaki, await _browse(started.authorization_url), started.handle)
        )

    assert (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID") == (answer.code, answer.reason)


async def test_providers_key_may_rotate(tmp_path: Path, provider: OidcServer) -> None:
    """An ID token of a new key makes misaki look for it."""
    async with _misaki(tmp_path, provider) as misaki:
        await _log_in(misaki)
        provider.rotate("key-2")
        pair = await _log_in(misaki)

    assert "users/alice" == pair.user


async def test_name_of_another_user_is_not_given_away(tmp_path: Path, provider: OidcServer) -> None:
    """An account that claims the name of a user there is does not become that user."""
    provider.account = Account("mallory", {"preferred_username": ADMIN_ID})
    async with _misaki(tmp_path, provider) as misaki:
        started = await _start(misaki)
        answer = await refusal(
            _finish(misaki, await _browse(started.authorization_url), started.handle)
        )

    assert (grpc.StatusCode.FAILED_PRECONDITION, "USER_EXISTS") == (
        answer.code,
        answer.metadata["state"],
    )


async def test_existing_users_are_found_by_verified_address(
    tmp_path: Path, provider: OidcServer
) -> None:
    """Set up so, accounts become users that admins have made, but never admins."""
    settings = 'new_people = "existing"\nuser_claim = "email"'
    answers = []
    async with _misaki(tmp_path, provider, settings, admin_user_id="root@example.org") as misaki:
        admin = bearer((await misaki.log_in("root@example.org")).access_token)
        await misaki.users.CreateUser(
            user_service_pb2.CreateUserRequest(
                user_id="alice@example.org", password="password-of-alice"
            ),
            metadata=admin,
        )
        for subject, email, verified in (
            ("s1", "alice@example.org", False),
            ("s2", "bob@example.org", True),
            ("s3", "root@example.org", True),
        ):
            provider.account = Account(subject, {"email": email, "email_verified": verified})
            started = await _start(misaki)
            back = await _browse(started.authorization_url)
            answers.append(await refusal(_finish(misaki, back, started.handle)))
        provider.account = Account("s1", {"email": "Alice@example.org", "email_verified": True})
        pair = await _log_in(misaki)

    states = [answer.metadata["state"] for answer in answers]
    assert ["NOT_VERIFIED", "NO_USER", "USER_IS_ADMIN"] == states
    assert "users/alice@example.org" == pair.user


async def test_disabled_user_comes_in_by_no_door(tmp_path: Path, provider: OidcServer) -> None:
    """Who is disabled here is so whatever a provider says."""
    async with _misaki(tmp_path, provider) as misaki:
        await _log_in(misaki)
        update = user_service_pb2.UpdateUserRequest(
            user=user_service_pb2.User(name="users/alice", disabled=True)
        )
        update.update_mask.paths.append("disabled")
        await misaki.users.UpdateUser(update, metadata=await misaki.admin())
        started = await _start(misaki)
        answer = await refusal(
            _finish(misaki, await _browse(started.authorization_url), started.handle)
        )

    assert "CREDENTIALS_INVALID" == answer.reason


@pytest.mark.parametrize(
    "redirect", ["https://evil.example.org/", "javascript:alert(1)", "http://127.0.0.1.evil.org/"]
)
async def test_browser_is_sent_nowhere_else(
    tmp_path: Path, provider: OidcServer, redirect: str
) -> None:
    """An address that is neither allowed nor a loopback one is refused."""
    async with _misaki(tmp_path, provider) as misaki:
        answer = await refusal(_start(misaki, redirect))

    assert (grpc.StatusCode.INVALID_ARGUMENT, ("redirect_uri",)) == (answer.code, answer.fields)


async def test_lost_provider_is_unavailable(tmp_path: Path, provider: OidcServer) -> None:
    """Passwords still log in while a provider does not answer."""
    gone = OidcServer()
    gone.issuer = "http://127.0.0.1:1"
    async with _misaki(tmp_path, gone) as misaki:
        answer = await refusal(_start(misaki))
        pair = await misaki.log_in()

    assert (grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE") == (answer.code, answer.reason)
    assert f"users/{ADMIN_ID}" == pair.user


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[providers.company]\n", "issuer"),
        ('[providers.company]\nissuer = "http://example.org"\nclient_id = "x"\n', "issuer"),
        ('[providers.X]\nissuer = "https://example.org"\nclient_id = "x"\n', "providers.X"),
        ('[providers.company]\nclient_secret = "s3cret"\n', "client_secret"),
    ],
)
async def test_wrong_file_of_providers_stops_the_start(
    tmp_path: Path, content: str, problem: str
) -> None:
    """What is wrong is named, and no value is repeated."""
    file = tmp_path / "oidc.toml"
    file.write_text(content)

    with pytest.raises(SystemExit, match=problem) as caught:
        async with start_misaki(tmp_path / "misaki", oidc_file=file):
            pytest.fail("it has started")

    assert "s3cret" not in str(caught.value)


async def test_this_provider_insists_on_pkce(tmp_path: Path, provider: OidcServer) -> None:
    """The provider of these tests takes no login without a challenge: ours has one."""
    async with _misaki(tmp_path, provider) as misaki:
        url = (await _start(misaki)).authorization_url
    query = parse_qs(urlsplit(url).query)
    without = {name: v[0] for name, v in query.items() if not name.startswith("code_challenge")}

    async with httpx.AsyncClient() as browser:
        answer = await browser.get(f"{provider.issuer}/authorize", params=without)

    assert ["S256"] == query["code_challenge_method"]
    assert 400 == answer.status_code
