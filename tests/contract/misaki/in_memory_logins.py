"""Logins and counts of wrong passwords in dictionaries; obey the same suites as SQL."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from misaki.domain.attempts import Attempts, Limits
from misaki.domain.model import Credentials, Session
from misaki.domain.sessions import login_overtaken
from misaki.ports import AccessStore, RevocationsOf


class InMemorySessionStore:
    """Keeps logins in a dictionary."""

    def __init__(
        self, access: AccessStore, *, credentials_of: Callable[[str], Credentials | None]
    ) -> None:
        self._access = access
        self._credentials_of = credentials_of
        self._sessions: dict[str, Session] = {}

    async def create_session(self, session: Session, credentials: Credentials) -> None:
        """Store a new session."""
        now = self._credentials_of(session.user_id)
        if now is None or era_of(now) != era_of(credentials) or now.user.disabled:
            raise login_overtaken()
        self._sessions[session.session_id] = session

    async def find_session(self, session_id: str) -> Session | None:
        """Return a session, or None."""
        return self._sessions.get(session_id)

    async def renew_session(self, session: Session, *, generation: int) -> bool:
        """Store the next state of a session, if it is still of a certain generation."""
        known = self._sessions.get(session.session_id)
        if known is None or known.generation != generation:
            return False
        self._sessions[session.session_id] = session
        return True

    async def end_session(self, session_id: str, *, revocations_of: RevocationsOf) -> bool:
        """End a session."""
        if self._sessions.pop(session_id, None) is None:
            return False
        await self._access.record_revocations(revocations_of([f"sessions/{session_id}"]))
        return True

    async def list_sessions(self, user_id: str, *, after: str, limit: int) -> Sequence[Session]:
        """Return a user's sessions."""
        found = [s for key, s in sorted(self._sessions.items()) if key > after]
        return [session for session in found if session.user_id == user_id][:limit]

    async def forget_sessions(self, *, now: datetime) -> None:
        """Delete the sessions whose last refresh token has ended."""
        self.drop(lambda session: session.expire_time <= now)

    def drop(self, is_dropped: Callable[[Session], bool]) -> list[str]:
        """Delete some sessions; returns their ids."""
        ids = [key for key, session in self._sessions.items() if is_dropped(session)]
        for session_id in ids:
            del self._sessions[session_id]
        return ids


def era_of(credentials: Credentials) -> tuple[str, int]:
    """Return what stays the same as long as a login under way may go on."""
    return credentials.user.uid, credentials.epoch


class InMemoryAttemptStore:
    """Keeps counts in a dictionary."""

    def __init__(self) -> None:
        self._counts: dict[str, Attempts] = {}

    async def attempts(self, keys: Collection[str]) -> Mapping[str, Attempts]:
        """Return the counts that there are of some keys."""
        return {key: self._counts[key] for key in keys if key in self._counts}

    async def count_failure(self, key: str, limits: Limits, *, now: datetime) -> None:
        """Count one more failure."""
        self._counts[key] = limits.after_failure(self._counts.get(key), now)

    async def count_success(self, *, clear: str, remember: str, now: datetime) -> None:
        """Drop the count of one key, and note the time under another."""
        self._counts.pop(clear, None)
        self._counts[remember] = Attempts(failures=0, last_failure=now)

    async def forget_attempts(self, *, older_than: datetime) -> None:
        """Drop the counts that have not changed since."""
        self._counts = {k: c for k, c in self._counts.items() if c.last_failure >= older_than}
