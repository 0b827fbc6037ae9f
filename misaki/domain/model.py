"""What misaki knows about: users, projects, and who works in which project."""

from dataclasses import dataclass
from datetime import datetime

from mesh.access import Role

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
    """A user with the hash of the password, salt and parameters included.

    The hash is empty for a user who has no password.
    """

    user: User
    password_hash: str


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


def user_name(user_id: str) -> str:
    """Return the resource name of a user."""
    return f"users/{user_id}"


def project_name(project_id: str) -> str:
    """Return the resource name of a project."""
    return f"projects/{project_id}"
