"""Builders of domain objects with sensible defaults, for all tiers."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from mesh.access import AccessRule, Action, Caller, Principal, Role
from mesh.revocations import Revocation
from misaki.domain.model import (
    CredentialKind,
    Credentials,
    Member,
    Project,
    ProjectCredential,
    Session,
    User,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ALL_ROLES = frozenset(Role)


def principal(
    name: str = "users/alice", *, admin: bool = False, **project_roles: Role
) -> Principal:
    """Return somebody; keyword arguments are roles by project id."""
    return Principal(name=name, admin=admin, project_roles=project_roles)


def caller(
    who: Principal | None = None,
    *,
    roles: frozenset[Role] = ALL_ROLES,
    any_principal: bool = False,
    method: str = "/hanami.test.v1.TestService/Test",
) -> Caller:
    """Return a caller of a method that these roles may call."""
    rule = AccessRule(method=method, any_principal=any_principal, roles=roles)
    return Caller(who or principal(), rule)


def user(
    user_id: str = "alice", *, admin: bool = False, etag: str = "e1", disabled: bool = False
) -> User:
    """Return a user of misaki."""
    return User(
        user_id=user_id,
        display_name=user_id.capitalize(),
        admin=admin,
        create_time=NOON,
        etag=etag,
        uid=f"uid-of-{user_id}"[:32],
        disabled=disabled,
    )


def credentials(user_id: str = "alice", stored: str = "hash", *, epoch: int = 0) -> Credentials:
    """Return what a user of misaki logs in with, as it is stored."""
    return Credentials(user(user_id), stored, epoch)


def project(project_id: str = "garden", *, etag: str = "e1") -> Project:
    """Return a project of misaki."""
    return Project(
        project_id=project_id,
        display_name=project_id.capitalize(),
        creator_id="root",
        create_time=NOON,
        etag=etag,
    )


def member(project_id: str = "garden", user_id: str = "alice", role: Role = Role.MEMBER) -> Member:
    """Return a membership of misaki."""
    return Member(project_id=project_id, user_id=user_id, role=role, create_time=NOON, etag="first")


def session(session_id: str = "s1", user_id: str = "alice", project_id: str = "") -> Session:
    """Return a login of misaki."""
    return Session(
        session_id=session_id,
        user_id=user_id,
        project_id=project_id,
        generation=1,
        create_time=NOON,
        renew_time=NOON,
        expire_time=NOON + timedelta(hours=24),
        origin="203.0.113.7",
        client="test",
    )


def revocations_of(subjects: Sequence[str]) -> Sequence[Revocation]:
    """Return revocations made at noon, which last for a minute."""
    return [Revocation(subject, NOON, NOON + timedelta(minutes=1)) for subject in subjects]


def api_key(key_id: str = "sensor", project_id: str = "garden") -> ProjectCredential:
    """Return an API key of misaki, for all networks of a project."""
    return ProjectCredential(
        kind=CredentialKind.API_KEY,
        project_id=project_id,
        credential_id=key_id,
        uid=f"uid-{project_id}-{key_id}"[:32],
        display_name=key_id.capitalize(),
        creator="users/root",
        role=None,
        network_id="",
        actions=frozenset({Action.LEARN, Action.PREDICT}),
        create_time=NOON,
        expire_time=None,
        last_use_time=None,
        etag="e1",
    )
