"""What misaki knows about: users, projects, and who works in which project."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mesh.access import Action, Role

PROJECT_ROLES = frozenset({Role.PROJECT_ADMIN, Role.MEMBER, Role.VIEWER})


@dataclass(frozen=True)
class User:
    """Somebody who may log in.

    Attributes:
        user_id: The last part of the name.
        display_name: The name people read.
        admin: Whether the user runs the installation.
        create_time: With a time zone.
        etag: Changes with every change.
        uid: Tells this user from a later one of the same id.
        disabled: Whether the user may not log in.
    """

    user_id: str
    display_name: str
    admin: bool
    create_time: datetime
    etag: str
    uid: str
    disabled: bool = False

    @property
    def name(self) -> str:
        """The resource name."""
        return f"users/{self.user_id}"


@dataclass(frozen=True)
class UserChange:
    """The new values of a user; None leaves a value as it is."""

    display_name: str | None = None
    admin: bool | None = None
    disabled: bool | None = None

    @property
    def takes_away(self) -> bool:
        """Whether the user may do less afterwards."""
        return self.admin is False or self.disabled is True

    @property
    def is_for_admins(self) -> bool:
        """Whether more than what people read changes."""
        return self.admin is not None or self.disabled is not None


@dataclass(frozen=True)
class Credentials:
    """What a user logs in with.

    Attributes:
        user: The user.
        password_hash: Of the password, salt and parameters included; empty for a user who
            has none.
        epoch: Higher after each change that ends logins, also those under way: another
            password, or that the user was disabled.
    """

    user: User
    password_hash: str
    epoch: int = 0


@dataclass(frozen=True)
class Session:
    """One login: a chain of refresh tokens, of which only the last one is good.

    Attributes:
        session_id: Names the login in tokens; nobody can guess it.
        user_id: Who logged in.
        project_id: The only project that its access tokens speak of; empty for all.
        generation: Number of the refresh token that is good.
        create_time: When the login was.
        renew_time: When that refresh token was made.
        expire_time: When it ends.
        origin: Where the login came from.
        client: What program it was, as that calls itself.
    """

    session_id: str
    user_id: str
    project_id: str
    generation: int
    create_time: datetime
    renew_time: datetime
    expire_time: datetime
    origin: str
    client: str

    @property
    def name(self) -> str:
        """The resource name."""
        return f"users/{self.user_id}/sessions/{self.session_id}"


@dataclass(frozen=True)
class Project:
    """A place where people share networks and data sets. Its creator may be gone."""

    project_id: str
    display_name: str
    creator_id: str
    create_time: datetime
    etag: str

    @property
    def name(self) -> str:
        """The resource name."""
        return f"projects/{self.project_id}"


@dataclass(frozen=True)
class Member:
    """A user's role in a project."""

    project_id: str
    user_id: str
    role: Role
    create_time: datetime
    etag: str

    @property
    def name(self) -> str:
        """The resource name."""
        return f"projects/{self.project_id}/members/{self.user_id}"


class CredentialKind(StrEnum):
    """What may act in a project by a secret; the value is the collection in names."""

    API_KEY = "apiKeys"
    CLIENT = "clients"


@dataclass(frozen=True)
class ProjectCredential:
    """An API key of devices, or a client of OAuth 2; its secret is not part of it.

    Attributes:
        kind: Which of them.
        project_id: Where it acts.
        credential_id: The last part of the name.
        uid: Tells it from a later one of the same id.
        display_name: The name people read.
        creator: Who made it; may be gone.
        role: What a client is in the project; None for an API key.
        network_id: The only network that an API key is good for; empty for all.
        actions: What an API key is good for.
        create_time: With a time zone.
        expire_time: When it ends; None for never.
        last_use_time: When it was last exchanged for a token, to the minute.
        etag: Changes with every change.
    """

    kind: CredentialKind
    project_id: str
    credential_id: str
    uid: str
    display_name: str
    creator: str
    role: Role | None
    network_id: str
    actions: frozenset[Action]
    create_time: datetime
    expire_time: datetime | None
    last_use_time: datetime | None
    etag: str

    @property
    def name(self) -> str:
        """The resource name."""
        return credential_name(self.kind, self.project_id, self.credential_id)

    @property
    def subject(self) -> str:
        """What a revocation names it by."""
        return f"{self.kind.value}/{self.uid}"

    def has_expired(self, now: datetime) -> bool:
        """Tell whether its time is over."""
        return self.expire_time is not None and self.expire_time <= now


def credential_name(kind: CredentialKind, project_id: str, credential_id: str) -> str:
    """Return the resource name of a credential of a project."""
    return f"{project_name(project_id)}/{kind.value}/{credential_id}"


def user_name(user_id: str) -> str:
    """Return the resource name of a user."""
    return f"users/{user_id}"


def project_name(project_id: str) -> str:
    """Return the resource name of a project."""
    return f"projects/{project_id}"
