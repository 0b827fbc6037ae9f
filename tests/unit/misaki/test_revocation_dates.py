"""Every change that ends tokens is dated when it is made, not when it begins to wait."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from mesh.access import Role
from misaki.crypto.tokens import JwtMint
from misaki.domain.model import CredentialKind, UserChange
from misaki.domain.password_changes import PasswordChanges
from misaki.domain.project_credentials import ProjectCredentials
from misaki.domain.projects import Projects
from misaki.domain.revocations import Revoker
from misaki.domain.sessions import Sessions
from misaki.domain.throttle import Throttle
from misaki.domain.users import Users
from misaki.ports import NewId
from tests import factories
from tests.contract.misaki.in_memory import InMemoryDirectory
from tests.unit.misaki.conftest import PlainPasswords, SettableClock
from tests.unit.misaki.test_sessions import LIMITS

ADMIN = factories.caller(
    factories.principal("users/root", admin=True), roles=frozenset({Role.ADMIN, Role.PROJECT_ADMIN})
)
ALICE = factories.caller(factories.principal("users/alice"), any_principal=True)
A_WAIT = timedelta(seconds=30)
CHANGES = [
    "set_password",
    "set_password, her own",
    "update_user",
    "delete_user",
    "update_member",
    "delete_member",
    "delete_project",
    "end_session",
    "delete_credential",
]


@pytest.fixture
async def change(
    directory: InMemoryDirectory,
    passwords: PlainPasswords,
    throttle: Throttle,
    revoker: Revoker,
    mint: JwtMint,
    clock: SettableClock,
    new_id: NewId,
) -> Callable[[str], Awaitable[object]]:
    """Return what makes a change to Alice, a member of the garden who is logged in."""
    await directory.create_user(factories.user("alice"), "hash of open sesame")
    await directory.create_project(factories.project("garden"))
    await directory.create_member(factories.member("garden", "alice"), limit=9)
    await directory.credentials.create_credential(factories.api_key(), "digest", limit=9)
    await directory.sessions.create_session(
        factories.session("s1", "alice"), factories.credentials("alice", "hash of open sesame")
    )
    users = Users(directory, passwords, revoker, clock=clock, new_id=new_id)
    changes = PasswordChanges(directory, passwords, throttle, revoker)
    projects = Projects(directory, revoker, clock=clock, new_id=new_id)
    sessions = Sessions(
        directory,
        directory.sessions,
        passwords,
        throttle,
        mint,
        revoker,
        limits=LIMITS,
        clock=clock,
        new_id=new_id,
    )
    credentials = ProjectCredentials(
        directory.credentials, mint, revoker, str, clock=clock, new_id=new_id, new_secret=new_id
    )
    made: dict[str, Callable[[], Awaitable[object]]] = {
        "set_password": lambda: changes.reset(ADMIN, "alice", new="close sesame"),
        "set_password, her own": lambda: changes.change(
            ALICE, "me", old="open sesame", new="close sesame", origin=""
        ),
        "update_user": lambda: users.update(ADMIN, "alice", UserChange(disabled=True), etag=""),
        "delete_user": lambda: users.delete(ADMIN, "alice", etag=""),
        "update_member": lambda: projects.update_member(
            ADMIN, "garden", "alice", role=Role.VIEWER, etag=""
        ),
        "delete_member": lambda: projects.delete_member(ADMIN, "garden", "alice"),
        "delete_project": lambda: projects.delete(ADMIN, "garden", etag=""),
        "end_session": lambda: sessions.delete(ADMIN, "alice", "s1"),
        "delete_credential": lambda: credentials.delete(
            ADMIN, CredentialKind.API_KEY, "garden", "sensor", etag=""
        ),
    }
    return lambda kind: made[kind]()


@pytest.mark.parametrize("kind", CHANGES)
async def test_change_ends_the_tokens_issued_while_it_waited(
    directory: InMemoryDirectory,
    revoker: Revoker,
    clock: SettableClock,
    change: Callable[[str], Awaitable[object]],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """A store may wait for others; a token issued meanwhile carries what was taken away."""
    method = kind.partition(",")[0]
    store: Any = {
        "end_session": directory.sessions,
        "delete_credential": directory.credentials,
    }.get(method, directory)
    make = getattr(store, method)

    async def make_after_a_wait(*args: Any, **options: Any) -> object:
        clock.now += A_WAIT
        issued.append(await revoker.issue_time("users/alice"))
        return await make(*args, **options)

    issued: list[Any] = []
    monkeypatch.setattr(store, method, make_after_a_wait)

    await change(kind)

    revocations = directory.access.recorded
    assert revocations
    assert all(revocation.issued_before > issued[0] for revocation in revocations)
