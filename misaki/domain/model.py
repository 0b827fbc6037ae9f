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
    """

    user_id: str
    display_name: str
    admin: bool
    create_time: datetime
    etag: str
    uid: str

    @property
    def name(self) -> str:
        """The resource name."""
        return f"users/{self.user_id}"


@dataclass(frozen=True)
class Credentials:
    """A user with the hash of the password, salt and parameters included."""

    user: User
    password_hash: str


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
