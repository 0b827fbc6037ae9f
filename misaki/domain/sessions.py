"""Logging in, renewing tokens, logging out.

A login is a session: a chain of refresh tokens, each good until the next one is made.
Who comes with one that was replaced either lost the answer a moment ago, or shares the
token with another process, or has stolen it. For a short grace it gets the same next
token again; after that the session ends, for its tokens are in two hands.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mesh.access import Caller
from mesh.errors import FailedPrecondition, NotFound, Unauthenticated
from misaki.domain import rules
from misaki.domain.model import Credentials, Session, User, user_name
from misaki.domain.narrowing import check_may_enter, grants_of
from misaki.domain.revocations import Revoker
from misaki.domain.throttle import Throttle
from misaki.domain.users import reachable_user
from misaki.ports import (
    Clock,
    Directory,
    NewId,
    Passwords,
    Renewal,
    SessionStore,
    SignedToken,
    TokenMint,
)


@dataclass(frozen=True)
class TokenPair:
    """An access token, and the refresh token that renews it."""

    user: User
    session: Session
    access: SignedToken
    refresh: SignedToken


@dataclass(frozen=True)
class SessionLimits:
    """How long logins last.

    Attributes:
        idle: Life of a refresh token.
        longest: However often it is renewed, a session ends then.
        grace: How long a replaced refresh token gets its successor again.
    """

    idle: timedelta
    longest: timedelta
    grace: timedelta


@dataclass(frozen=True)
class Where:
    """Where somebody logs in: the address, the program, and the project to work in."""

    origin: str = ""
    client: str = ""
    project_id: str = ""


class Sessions:
    """Turns credentials into tokens, and keeps the logins."""

    def __init__(
        self,
        directory: Directory,
        store: SessionStore,
        passwords: Passwords,
        throttle: Throttle,
        mint: TokenMint,
        revoker: Revoker,
        *,
        limits: SessionLimits,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._directory = directory
        self._store = store
        self._passwords = passwords
        self._throttle = throttle
        self._mint = mint
        self._revoker = revoker
        self._limits = limits
        self._clock = clock
        self._new_id = new_id

    async def log_in(self, user_id: str, password: str, where: Where) -> TokenPair:
        """Return tokens for a user.

        Raises:
            Unauthenticated: CREDENTIALS_INVALID, the same after the same time for
                a wrong password, for a user that does not exist, and for one that
                is disabled.
            ResourceExhausted: LOGIN_THROTTLED, whether the user exists or not.
            NotFound: RESOURCE_NOT_FOUND: no such project for this user.
        """
        attempt = await self._throttle.begin(user_id, where.origin)
        known = rules.is_user_id(user_id)
        issue_time = await self.issue_time(user_id) if known else self._clock()
        credentials = await self._directory.find_credentials(user_id) if known else None
        password_hash = credentials.password_hash if credentials else None
        fits = await self._passwords.matches(password, password_hash)
        if not fits or credentials is None or credentials.user.disabled:
            await self._throttle.failed(attempt)
            raise credentials_invalid("user and password do not fit together")
        await self._throttle.check(attempt)
        await self._throttle.succeeded(attempt)
        await self._strengthen_hash(credentials, password)
        return await self.open(credentials, where, issue_time)

    async def issue_time(self, user_id: str) -> datetime:
        """Return the date for tokens of a user; to be called before the user is read."""
        return await self._revoker.issue_time(user_name(user_id))

    async def open(self, credentials: Credentials, where: Where, issue_time: datetime) -> TokenPair:
        """Begin a session of a user who has proved who they are.

        Args:
            credentials: What was known of the user when that was decided.
            where: Where the login is from, and for what.
            issue_time: From `issue_time`, before the credentials were read.

        Raises:
            Unauthenticated: CREDENTIALS_INVALID: they have changed since.
            NotFound: RESOURCE_NOT_FOUND: no such project for this user.
        """
        user = credentials.user
        await check_may_enter(self._directory, user, where.project_id)
        now = self._clock()
        session = Session(
            session_id=self._new_id(),
            user_id=user.user_id,
            project_id=where.project_id,
            generation=1,
            create_time=now,
            renew_time=now,
            expire_time=now + min(self._limits.idle, self._limits.longest),
            origin=where.origin,
            client=where.client,
        )
        await self._store.forget_sessions(now=now)
        await self._store.create_session(session, credentials)
        return await self._pair(user, session, issue_time)

    async def renew(self, refresh_token: str, *, project_id: str | None = None) -> TokenPair:
        """Return the next pair; roles are those the user has now.

        Args:
            refresh_token: The refresh token of the last pair.
            project_id: The project to work in from now on, empty for all of them;
                None leaves it as it is.

        Raises:
            Unauthenticated: TOKEN_INVALID, also when the session has ended;
                TOKEN_REVOKED: the token was replaced, and so the session ends.
            NotFound: RESOURCE_NOT_FOUND: no such project for this user.
        """
        renewal = await self._mint.read_refresh(refresh_token)
        issue_time = await self._revoker.issue_time(
            user_name(renewal.user_id), f"sessions/{renewal.session_id}"
        )
        session = await self._session_of(renewal)
        user = await self._user_of(session)
        if project_id is not None:
            await check_may_enter(self._directory, user, project_id)
        return await self._pair(user, await self._next(renewal, session, project_id), issue_time)

    async def log_out(self, caller: Caller) -> None:
        """End the session that the caller's token belongs to.

        Raises:
            FailedPrecondition: STATE_CONFLICT: the token belongs to none.
        """
        caller.authorize_method()
        session_id = session_of_principal(caller.principal.revocable_as)
        if session_id is None:
            raise FailedPrecondition(
                f"the token of {caller.principal.name} belongs to no login",
                reason="STATE_CONFLICT",
                metadata={"resource": caller.principal.name, "state": "NO_SESSION"},
            )
        if not await self._end(session_id):
            # The token is good all the same: the user has so many logins that this one is gone.
            await self._revoker.revoke(f"sessions/{session_id}")

    async def revoke(self, token: str) -> None:
        """Take a token back: a refresh token with its session, any other one alone.

        As RFC 7009 wants it, a token that is good for nothing is no error.
        """
        try:
            renewal = await self._mint.read_refresh(token)
        except Unauthenticated:
            await self._revoke_access(token)
        else:
            await self._end(renewal.session_id)

    async def list(
        self, caller: Caller, user_id: str, *, after: str, limit: int
    ) -> Sequence[Session]:
        """Return the sessions of a user: one's own, or anybody's for admins.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """
        caller.authorize_method()
        user_id = reachable_user(caller, user_id)
        await self._directory.get_user(user_id)
        return await self._store.list_sessions(user_id, after=after, limit=limit)

    async def delete(self, caller: Caller, user_id: str, session_id: str) -> None:
        """End a session of a user: one's own, or anybody's for admins.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """
        caller.authorize_method()
        user_id = reachable_user(caller, user_id)
        session = await self._store.find_session(session_id)
        if session is None or session.user_id != user_id or not await self._end(session_id):
            raise NotFound(f"{user_name(user_id)}/sessions/{session_id}")

    async def _strengthen_hash(self, credentials: Credentials, password: str) -> None:
        """Hash a password anew that was hashed with less than what is set now.

        No login ends by it. Where the password was changed meanwhile, or another login was
        faster, all stays as they left it.
        """
        before = credentials.password_hash
        if self._passwords.is_outdated(before):
            after = await self._passwords.hash(password)
            await self._directory.replace_hash(credentials.user.user_id, before=before, after=after)

    async def _session_of(self, renewal: Renewal) -> Session:
        session = await self._store.find_session(renewal.session_id)
        if session is None or session.user_id != renewal.user_id:
            raise _session_ended()
        return session

    async def _user_of(self, session: Session) -> User:
        try:
            user = await self._directory.get_user(session.user_id)
        except NotFound as error:
            raise _session_ended() from error
        if user.disabled:
            raise _session_ended()
        return user

    async def _next(self, renewal: Renewal, session: Session, project_id: str | None) -> Session:
        """Return the session with the refresh token that follows the one given."""
        entered = session.project_id if project_id is None else project_id
        if session.generation == renewal.generation:
            renewed = self._renewed(session, entered)
            if await self._store.renew_session(renewed, generation=session.generation):
                return renewed
            # Somebody with the same token was faster, just now.
            session = await self._session_of(renewal)
        since = self._clock() - session.renew_time
        if session.generation != renewal.generation + 1 or since > self._limits.grace:
            await self._end(session.session_id)
            raise _reused(session)
        if entered != session.project_id:
            session = replace(session, project_id=entered)
            await self._store.renew_session(session, generation=session.generation)
        return session

    def _renewed(self, session: Session, project_id: str) -> Session:
        now = self._clock()
        end = session.create_time + self._limits.longest
        return replace(
            session,
            project_id=project_id,
            generation=session.generation + 1,
            renew_time=now,
            expire_time=min(now + self._limits.idle, end),
        )

    async def _pair(self, user: User, session: Session, issue_time: datetime) -> TokenPair:
        grants = await grants_of(self._directory, user, session.project_id)
        access = self._mint.access_for_user(
            user,
            grants.roles,
            admin=grants.admin,
            session_id=session.session_id,
            issue_time=issue_time,
        )
        return TokenPair(user, session, access, self._mint.refresh_for(session))

    async def _end(self, session_id: str) -> bool:
        return await self._store.end_session(session_id, revocations_of=self._revoker.of)

    async def _revoke_access(self, token: str) -> None:
        try:
            principal = await self._mint.read_access(token)
        except Unauthenticated:
            return
        # Anybody may call this, again and again: only the first time is anything written.
        if not await self._revoker.is_revoked(principal):
            await self._revoker.revoke(f"tokens/{principal.token_id}")


def session_of_principal(revocable_as: Sequence[str]) -> str | None:
    """Return the id of the session among what a token hangs on; None without one."""
    for subject in revocable_as:
        if subject.startswith("sessions/"):
            return subject.removeprefix("sessions/")
    return None


def credentials_invalid(message: str) -> Unauthenticated:
    """Return the error of somebody who has not proved who they are."""
    return Unauthenticated(message, reason="CREDENTIALS_INVALID")


def login_overtaken() -> Unauthenticated:
    """Return the error of a login during which its user was changed."""
    return credentials_invalid(
        "the user was disabled, or has another password, since this login began"
    )


def _session_ended() -> Unauthenticated:
    return Unauthenticated(
        "this login has ended; log in again",
        reason="TOKEN_INVALID",
        metadata={"problem": "session ended"},
    )


def _reused(session: Session) -> Unauthenticated:
    return Unauthenticated(
        "this refresh token was used before, so somebody else may have it too; "
        "the login has ended for everybody who holds one of its tokens, log in again",
        reason="TOKEN_REVOKED",
        metadata={"subject": f"sessions/{session.session_id}", "problem": "used before"},
    )
