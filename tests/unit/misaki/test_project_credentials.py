"""API keys for devices, and clients for programs."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.access import Action, Caller, Role
from mesh.errors import InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from mesh.tokens import TokenVerifier
from misaki.crypto.digests import Digests
from misaki.crypto.keys import new_key
from misaki.crypto.tokens import JwtMint
from misaki.domain.model import CredentialKind, ProjectCredential
from misaki.domain.project_credentials import PREFIXES, ProjectCredentials
from misaki.domain.revocations import Revoker
from misaki.ports import NewId
from tests import factories
from tests.contract.misaki.in_memory import InMemoryDirectory
from tests.unit.misaki.conftest import SettableClock, mint_of, verifier_of

MANAGERS = frozenset({Role.ADMIN, Role.PROJECT_ADMIN})
API_KEY, CLIENT = CredentialKind.API_KEY, CredentialKind.CLIENT


@pytest.fixture
async def credentials(
    directory: InMemoryDirectory,
    mint: JwtMint,
    revoker: Revoker,
    clock: SettableClock,
    new_id: NewId,
) -> ProjectCredentials:
    """Return the rules over a directory with a garden."""
    await directory.create_project(factories.project("garden"))
    numbers = count(1)
    return ProjectCredentials(
        directory.credentials,
        mint,
        revoker,
        Digests(b"k" * 32),
        clock=clock,
        new_id=new_id,
        new_secret=lambda: f"secret-{next(numbers)}",
    )


def gardener(role: Role = Role.PROJECT_ADMIN) -> Caller:
    """Return somebody with a role in the garden, calling a method for managers."""
    return factories.caller(factories.principal(garden=role), roles=MANAGERS)


async def _key(
    credentials: ProjectCredentials, caller: Caller | None = None, **changes: Any
) -> tuple[ProjectCredential, str]:
    values: dict[str, Any] = {
        "project_id": "garden",
        "key_id": "sensor",
        "display_name": "",
        "network_id": "roses",
        "actions": frozenset({Action.LEARN}),
        "expire_time": None,
    }
    return await credentials.create_api_key(caller or gardener(), **(values | changes))


async def test_exchanged_key_is_a_device_of_its_scope(
    credentials: ProjectCredentials, verifier: TokenVerifier
) -> None:
    """The token has the role DEVICE, and names project, network and actions."""
    key, secret = await _key(credentials)

    _, token = await credentials.exchange(API_KEY, secret)

    principal = await verifier.verify(token.token)
    assert "projects/garden/apiKeys/sensor" == principal.name
    assert frozenset({Role.DEVICE}) == principal.all_roles()
    assert principal.scope is not None
    assert ("garden", "roses", frozenset({Action.LEARN})) == (
        principal.scope.project_id,
        principal.scope.network_id,
        principal.scope.actions,
    )
    assert f"apiKeys/{key.uid}" in principal.revocable_as


async def test_exchanged_client_has_its_role(
    credentials: ProjectCredentials, verifier: TokenVerifier
) -> None:
    """The token has the client's role in the project, and none anywhere else."""
    client, secret = await credentials.create_client(
        gardener(),
        project_id="garden",
        client_id="importer",
        display_name="",
        role=Role.MEMBER,
        expire_time=None,
    )

    _, token = await credentials.exchange(CLIENT, secret, name=client.name)

    principal = await verifier.verify(token.token)
    assert "projects/garden/clients/importer" == principal.name
    assert {"garden": Role.MEMBER} == principal.project_roles
    assert not principal.admin
    assert f"clients/{client.uid}" in principal.revocable_as


async def test_secret_is_kept_as_a_digest_only(
    credentials: ProjectCredentials, directory: InMemoryDirectory
) -> None:
    """The store never sees the secret; its prefix says what it is."""
    _, secret = await _key(credentials)

    assert secret.startswith(PREFIXES[API_KEY])
    assert secret not in repr(vars(directory.credentials))


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER])
async def test_members_make_and_see_no_keys(credentials: ProjectCredentials, role: Role) -> None:
    """Keys are for project admins."""
    await _key(credentials)

    with pytest.raises(PermissionDenied):
        await _key(credentials, gardener(role), key_id="mine")
    with pytest.raises(PermissionDenied):
        await credentials.get(gardener(role), API_KEY, "garden", "sensor")
    with pytest.raises(PermissionDenied):
        await credentials.delete(gardener(role), API_KEY, "garden", "sensor", etag="")


async def test_strangers_find_nothing(credentials: ProjectCredentials) -> None:
    """A project of others looks missing, and so do its keys."""
    await _key(credentials)
    stranger = factories.caller(factories.principal(kitchen=Role.PROJECT_ADMIN), roles=MANAGERS)

    with pytest.raises(NotFound):
        await credentials.list(stranger, API_KEY, "garden", after="", limit=9)
    with pytest.raises(NotFound):
        await credentials.get(stranger, API_KEY, "garden", "sensor")


@pytest.mark.parametrize(
    "changes",
    [
        {"actions": frozenset()},
        {"key_id": "No Id"},
        {"display_name": "a\x00b"},
        {"expire_time": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
)
async def test_bad_values_make_no_key(
    credentials: ProjectCredentials, changes: dict[str, Any]
) -> None:
    """No action, no id, and an end in the past are refused."""
    with pytest.raises(InvalidArgument):
        await _key(credentials, **changes)

    assert [] == await credentials.list(gardener(), API_KEY, "garden", after="", limit=9)


async def test_client_needs_a_role_of_a_project(credentials: ProjectCredentials) -> None:
    """A project admin makes no admin of the installation."""
    with pytest.raises(InvalidArgument):
        await credentials.create_client(
            gardener(),
            project_id="garden",
            client_id="importer",
            display_name="",
            role=Role.ADMIN,
            expire_time=None,
        )


async def test_wrong_secrets_are_all_refused_alike(
    credentials: ProjectCredentials, clock: SettableClock
) -> None:
    """Never made, deleted, expired, of another kind or under another name: one answer."""
    _, deleted = await _key(credentials)
    await credentials.delete(gardener(), API_KEY, "garden", "sensor", etag="")
    _, expired = await _key(credentials, expire_time=clock.now + timedelta(minutes=1))
    client, of_client = await credentials.create_client(
        gardener(),
        project_id="garden",
        client_id="importer",
        display_name="",
        role=Role.VIEWER,
        expire_time=None,
    )
    clock.now += timedelta(minutes=1)

    answers = []
    for kind, secret, name in (
        (API_KEY, "hanami-key-guess", None),
        (API_KEY, deleted, None),
        (API_KEY, expired, None),
        (API_KEY, of_client, None),
        (CLIENT, deleted, client.name),
        (CLIENT, of_client, "projects/garden/clients/other"),
    ):
        with pytest.raises(Unauthenticated) as caught:
            await credentials.exchange(kind, secret, name=name)
        answers.append((caught.value.reason, caught.value.message))

    assert 1 == len(set(answers))
    assert "CREDENTIALS_INVALID" == answers[0][0]


async def test_token_ends_with_its_key(
    credentials: ProjectCredentials, clock: SettableClock
) -> None:
    """A key that ends soon makes a token that ends then."""
    end = (clock.now + timedelta(minutes=3)).replace(microsecond=0)
    _, secret = await _key(credentials, expire_time=end)

    _, token = await credentials.exchange(API_KEY, secret)

    assert end == token.expire_time


async def test_deleted_key_ends_its_tokens(
    credentials: ProjectCredentials, directory: InMemoryDirectory
) -> None:
    """A revocation goes with the key, and names no later key of the same id."""
    first, _ = await _key(credentials)
    await credentials.delete(gardener(), API_KEY, "garden", "sensor", etag=first.etag)
    second, _ = await _key(credentials)

    subjects = [revocation.subject for revocation in directory.access.recorded]
    assert [first.subject] == subjects
    assert first.subject != second.subject


async def test_last_use_is_noted_once_a_minute(
    credentials: ProjectCredentials, clock: SettableClock
) -> None:
    """The first use is noted, and then no more often than it is worth."""
    start = clock.now = clock.now - timedelta(hours=1)
    _, secret = await _key(credentials)

    noted = []
    for seconds in (0, 30, 60):
        clock.now = start + timedelta(seconds=seconds)
        await credentials.exchange(API_KEY, secret)
        key = await credentials.get(gardener(), API_KEY, "garden", "sensor")
        assert key.last_use_time is not None
        noted.append((key.last_use_time - start).total_seconds())

    assert [0, 0, 60] == noted


@given(
    actions=st.frozensets(st.sampled_from(Action), min_size=1),
    network_id=st.sampled_from(["", "roses", "a-b"]),
)
async def test_scope_survives_the_token(actions: frozenset[Action], network_id: str) -> None:
    """Whatever a key allows: its token allows the same, no more and no less."""
    key = new_key()
    clock = SettableClock(datetime.now(UTC))
    mint = mint_of(key, verifier_of(key), clock=clock, new_id=lambda: "x")
    credential = ProjectCredential(
        **(vars(factories.api_key()) | {"actions": actions, "network_id": network_id})
    )

    token = mint.access_for_credential(credential, issue_time=clock.now)

    scope = (await verifier_of(key).verify(token.token)).scope
    assert scope is not None
    assert ("garden", network_id, actions) == (scope.project_id, scope.network_id, scope.actions)
    claims = jwt.decode(token.token, options={"verify_signature": False})
    assert {} == claims["roles"]
