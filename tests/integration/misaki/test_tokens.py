"""Logging in to a real misaki, and what its tokens are worth."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import jwt
import pytest
from hanami.misaki.v1 import project_service_pb2, token_service_pb2, user_service_pb2
from hanami.type.v1 import access_pb2

from mesh.clients import RemoteKeys, ServiceTokens, channel_to
from mesh.tokens import TokenVerifier
from misaki.crypto.keys import SigningKey, load_or_create, new_key
from tests.integration.meshes import (
    ADMIN_ID,
    ADMIN_PASSWORD,
    SERVICE_SECRET,
    RunningMisaki,
    bearer,
    start_misaki,
)
from tests.integration.statuses import refusal

ME = user_service_pb2.GetUserRequest(name="users/me")


def _forged(key: SigningKey, **changes: object) -> str:
    now = datetime.now(UTC)
    claims = {
        "iss": "hanami",
        "aud": "hanami",
        "sub": f"users/{ADMIN_ID}",
        "jti": uuid.uuid4().hex,
        "iat": now,
        "exp": now + timedelta(minutes=5),
        "typ": "access",
        "adm": True,
        "roles": {},
    }
    headers = {"kid": key.public.key_id}
    return jwt.encode(claims | changes, key.private, algorithm="EdDSA", headers=headers)


async def test_login_returns_a_pair_of_tokens(misaki: RunningMisaki) -> None:
    """The right password gets an access token and a refresh token."""
    pair = await misaki.log_in()

    assert f"users/{ADMIN_ID}" == pair.user
    lifetime = pair.refresh_expire_time.seconds - pair.access_expire_time.seconds
    assert 24 * 3600 - 15 * 60 == lifetime


async def test_wrong_password_and_unknown_user_get_the_same_answer(misaki: RunningMisaki) -> None:
    """A client cannot find out which users exist."""
    wrong = await refusal(misaki.log_in(ADMIN_ID, "wrong password"))
    unknown = await refusal(misaki.log_in("nobody", ADMIN_PASSWORD))

    assert wrong == unknown
    assert (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID") == (wrong.code, wrong.reason)


async def test_login_without_password_names_the_fields(misaki: RunningMisaki) -> None:
    """All broken rules of a request are told together."""
    answer = await refusal(misaki.log_in("", ""))

    assert (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID") == (answer.code, answer.reason)
    assert ("user_id", "password") == answer.fields
    assert {"violations": "2"} == answer.metadata


async def test_refresh_returns_a_pair_that_works(misaki: RunningMisaki) -> None:
    """A refresh token gets a new access token, and a new refresh token."""
    pair = await misaki.log_in()

    renewed = await misaki.tokens.RefreshToken(
        token_service_pb2.RefreshTokenRequest(refresh_token=pair.refresh_token)
    )

    user = await misaki.users.GetUser(ME, metadata=bearer(renewed.access_token))
    assert f"users/{ADMIN_ID}" == user.name
    assert len({pair.access_token, renewed.access_token}) == 2
    assert len({pair.refresh_token, renewed.refresh_token}) == 2


async def test_refresh_carries_roles_given_since(misaki: RunningMisaki) -> None:
    """A role given after the login comes with the next refresh."""
    await misaki.create_user("alice")
    pair = await misaki.log_in("alice", "password-of-alice")
    await misaki.create_project("garden")
    await misaki.projects.CreateMember(
        project_service_pb2.CreateMemberRequest(
            parent="projects/garden", user="users/alice", role=access_pb2.ROLE_VIEWER
        ),
        metadata=await misaki.admin(),
    )
    garden = project_service_pb2.GetProjectRequest(name="projects/garden")

    before = await refusal(misaki.projects.GetProject(garden, metadata=bearer(pair.access_token)))
    renewed = await misaki.tokens.RefreshToken(
        token_service_pb2.RefreshTokenRequest(refresh_token=pair.refresh_token)
    )
    after = await misaki.projects.GetProject(garden, metadata=bearer(renewed.access_token))

    assert grpc.StatusCode.PERMISSION_DENIED == before.code
    assert "projects/garden" == after.name


async def test_deleted_user_cannot_refresh(misaki: RunningMisaki) -> None:
    """Deleting a user ends the renewal of tokens."""
    await misaki.create_user("alice")
    pair = await misaki.log_in("alice", "password-of-alice")
    await misaki.users.DeleteUser(
        user_service_pb2.DeleteUserRequest(name="users/alice"), metadata=await misaki.admin()
    )

    answer = await refusal(
        misaki.tokens.RefreshToken(
            token_service_pb2.RefreshTokenRequest(refresh_token=pair.refresh_token)
        )
    )

    assert (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID") == (answer.code, answer.reason)


@pytest.mark.parametrize(
    ("problem", "changes"),
    [
        ("expired", {"exp": datetime.now(UTC) - timedelta(minutes=1)}),
        ("not valid here", {"aud": "elsewhere"}),
        ("not valid here", {"iss": "elsewhere"}),
        ("not of the type access", {"typ": "refresh"}),
        ("malformed", {"roles": {"garden": "EMPEROR"}}),
    ],
)
async def test_bad_token_is_refused(
    misaki: RunningMisaki, problem: str, changes: dict[str, object]
) -> None:
    """Expired tokens and those for something else are refused, with the problem named."""
    key = load_or_create(misaki.settings.data_directory)

    answer = await refusal(misaki.users.GetUser(ME, metadata=bearer(_forged(key, **changes))))

    assert (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID") == (answer.code, answer.reason)
    assert {"problem": problem} == answer.metadata


async def test_token_signed_by_somebody_else_is_refused(misaki: RunningMisaki) -> None:
    """A token of another installation is foreign here."""
    answer = await refusal(misaki.users.GetUser(ME, metadata=bearer(_forged(new_key()))))

    assert {"problem": "signed by an unknown key"} == answer.metadata


@pytest.mark.parametrize(
    ("problem", "metadata"),
    [
        ("missing", ()),
        ("missing", (("authorization", "Basic cm9vdDpyb290"),)),
        ("malformed", (("authorization", "Bearer nonsense"),)),
        ("malformed", (("authorization", "Bearer "),)),
    ],
)
async def test_call_without_a_token_is_refused(
    misaki: RunningMisaki, problem: str, metadata: tuple[tuple[str, str], ...]
) -> None:
    """No token, another scheme and nonsense are refused."""
    answer = await refusal(misaki.users.GetUser(ME, metadata=metadata))

    assert (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID") == (answer.code, answer.reason)
    assert {"problem": problem} == answer.metadata


async def test_refresh_token_opens_nothing(misaki: RunningMisaki) -> None:
    """A refresh token is no access token."""
    pair = await misaki.log_in()

    answer = await refusal(misaki.users.GetUser(ME, metadata=bearer(pair.refresh_token)))

    assert {"problem": "not of the type access"} == answer.metadata


async def test_service_token_needs_the_secret(misaki: RunningMisaki) -> None:
    """A wrong secret is refused; the right one makes a principal of the mesh."""
    answer = await refusal(
        misaki.tokens.IssueServiceToken(
            token_service_pb2.IssueServiceTokenRequest(service="kyouko", secret="guessed")
        )
    )
    token = await misaki.tokens.IssueServiceToken(
        token_service_pb2.IssueServiceTokenRequest(service="kyouko", secret=SERVICE_SECRET)
    )

    assert (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID") == (answer.code, answer.reason)
    claims = jwt.decode(token.access_token, options={"verify_signature": False})
    assert ("services/kyouko", "access") == (claims["sub"], claims["typ"])


async def test_other_services_verify_with_the_published_keys(misaki: RunningMisaki) -> None:
    """What mesh offers to services works against a real misaki: keys, and service tokens."""
    async with channel_to(misaki.address) as channel:
        verifier = TokenVerifier(RemoteKeys(channel), issuer="hanami", audience="hanami")
        tokens = ServiceTokens(channel, service="shiori", secret_file=misaki.service_secret_file)

        service = await verifier.verify(await tokens.token())
        admin = await verifier.verify((await misaki.log_in()).access_token)

    assert ("services/shiori", True) == (service.name, service.is_service)
    assert (f"users/{ADMIN_ID}", True) == (admin.name, admin.admin)


async def test_key_set_is_one_that_rfc_7517_describes(misaki: RunningMisaki) -> None:
    """The published key verifies a token by a library that knows nothing of us."""
    token = (await misaki.log_in()).access_token

    answer = await misaki.tokens.GetJsonWebKeySet(token_service_pb2.GetJsonWebKeySetRequest())

    (key,) = answer.keys
    jwk = {"kty": key.kty, "crv": key.crv, "x": key.x, "kid": key.kid, "use": key.use}
    claims = jwt.decode(token, jwt.PyJWK(jwk | {"alg": key.alg}), audience="hanami")
    assert ("OKP", "Ed25519", "sig", "EdDSA") == (key.kty, key.crv, key.use, key.alg)
    assert f"users/{ADMIN_ID}" == claims["sub"]


async def test_tokens_outlive_a_restart(tmp_path: Path) -> None:
    """Key, users and passwords are kept: a restart logs nobody out."""
    async with start_misaki(tmp_path) as first:
        token = (await first.log_in()).access_token

    async with start_misaki(tmp_path, admin_user_id="", admin_user_name="") as second:
        user = await second.users.GetUser(ME, metadata=bearer(token))
        pair = await second.log_in()

    assert f"users/{ADMIN_ID}" == user.name == pair.user
