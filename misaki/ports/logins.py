"""Keeps logins, and counts those that failed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from misaki.domain.attempts import Attempts, Limits
from misaki.domain.model import Credentials, Session
from misaki.ports.directory import RevocationsOf


class SessionStore(Protocol):
    """Keeps logins. Each method is one transaction."""

    async def create_session(self, session: Session, credentials: Credentials) -> None:
        """Store a new session.

        Args:
            session: The session.
            credentials: What the login was decided on. To prove who one is takes time,
                in which the password may be changed, or the user disabled.

        Raises:
            Unauthenticated: CREDENTIALS_INVALID: its user is gone, is disabled, or has
                another password by now.
        """

    async def find_session(self, session_id: str) -> Session | None:
        """Return a session, or None when it has ended or never was."""

    async def renew_session(self, session: Session, *, generation: int) -> bool:
        """Store the next state of a session, if it is still of a certain generation.

        Returns:
            Whether it was; nothing is stored otherwise.
        """

    async def end_session(self, session_id: str, *, revocations_of: RevocationsOf) -> bool:
        """End a session with its tokens; returns whether there was one."""

    async def list_sessions(self, user_id: str, *, after: str, limit: int) -> Sequence[Session]:
        """Return a user's sessions in the order of their ids, `limit` after an id."""

    async def forget_sessions(self, *, now: datetime) -> None:
        """Delete the sessions whose last refresh token has ended."""


class AttemptStore(Protocol):
    """Counts failures by key, see `misaki.domain.throttle`. Each method is one transaction."""

    async def attempts(self, keys: Collection[str]) -> Mapping[str, Attempts]:
        """Return the counts that there are of some keys."""

    async def count_failure(self, key: str, limits: Limits, *, now: datetime) -> None:
        """Count one more failure; two at the same time count twice."""

    async def count_success(self, *, clear: str, remember: str, now: datetime) -> None:
        """Drop the count of one key, and note the time under another."""

    async def forget_attempts(self, *, older_than: datetime) -> None:
        """Drop the counts that have not changed since."""
