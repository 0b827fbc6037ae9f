"""Passwords, keys that sign, and tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mesh.access import Principal, Role
from misaki.domain.key_times import KeyTimes
from misaki.domain.model import ProjectCredential, Session, User


class Passwords(Protocol):
    """Hashes passwords, slowly on purpose and off the event loop."""

    async def hash(self, password: str) -> str:
        """Return a salted hash."""

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Tell whether a password belongs to a hash.

        Takes as long, and says no, when there is no hash: how long an answer
        takes must not tell whether a user exists.
        """

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether a hash is easier to break than those made now."""

    def weakness(self, password: str, known: Sequence[str]) -> str:
        """Return why a new password is too easy to guess; nothing when it is not.

        Args:
            password: The password.
            known: What anybody would try first, such as the name of the user.
        """


@dataclass(frozen=True)
class SignedToken:
    """A token and the moment it ends."""

    token: str
    expire_time: datetime


@dataclass(frozen=True)
class Renewal:
    """Which session a refresh token belongs to, and which of its tokens it is."""

    user_id: str
    session_id: str
    generation: int


class KeyRing(Protocol):
    """Holds the keys that sign tokens."""

    def times(self) -> Sequence[KeyTimes]:
        """Return the dates of all keys that there are."""

    def rotate(self, *, immediately: bool) -> None:
        """Make the next key, unless there is one that does not sign yet.

        Args:
            immediately: The new key signs at once, and all others are forgotten.
        """


class TokenMint(Protocol):
    """Makes tokens, and reads the refresh tokens it made."""

    def access_for_user(
        self,
        user: User,
        roles: Mapping[str, Role],
        *,
        admin: bool,
        session_id: str,
        issue_time: datetime,
    ) -> SignedToken:
        """Return an access token that carries roles of the user; see `Revoker.issue_time`."""

    def refresh_for(self, session: Session) -> SignedToken:
        """Return the refresh token of a session that is good."""

    def access_for_credential(
        self, credential: ProjectCredential, *, issue_time: datetime
    ) -> SignedToken:
        """Return an access token that says what a credential allows, and ends with it."""

    def access_for_service(self, service: str) -> SignedToken:
        """Return the access token of a service of the mesh."""

    async def read_access(self, token: str) -> Principal:
        """Return whom an access token speaks for, whether it was taken back or not.

        Raises:
            Unauthenticated: TOKEN_INVALID.
        """

    async def read_refresh(self, token: str) -> Renewal:
        """Return what a refresh token says.

        Raises:
            Unauthenticated: TOKEN_INVALID.
        """
