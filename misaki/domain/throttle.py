"""Slows guessing of passwords down, without telling which users exist.

Wrong passwords are counted for the user that was named, whether there is one or not, and
for the origin they came from. After a few the next ones are refused unread, for a time
that doubles with every further one. So that nobody can lock another person out that
way, an origin from which a user has logged in before has a count of its own.
"""

from dataclasses import dataclass
from datetime import timedelta

from mesh.errors import ResourceExhausted
from misaki.domain.attempts import Limits
from misaki.ports import AttemptStore, Clock, Digest

# Who mistypes does so a few times; an origin may be a whole office behind one address.
OF_A_USER = Limits(free=5)
OF_AN_ORIGIN = Limits(free=50)
# How long an origin counts as one from which the user logs in.
KNOWN_FOR = timedelta(days=30)


@dataclass(frozen=True)
class Attempt:
    """One try to prove who one is: the keys under which its failure would count."""

    by_user: str
    by_origin: str
    known_origin: str


class Throttle:
    """Counts wrong passwords, and says when to wait."""

    def __init__(self, store: AttemptStore, digest: Digest, *, clock: Clock) -> None:
        """Take the parts.

        Args:
            store: Where the counts are.
            digest: Makes keys that cannot be read: people type passwords where the
                name of the user belongs.
            clock: Tells the time.
        """
        self._store = store
        self._digest = digest
        self._clock = clock

    async def begin(self, user_id: str, origin: str) -> Attempt:
        """Return an attempt, unless it has to wait.

        Raises:
            ResourceExhausted: LOGIN_THROTTLED.
        """
        by_pair = self._key("pair", user_id, origin)
        known_origin = self._key("known", user_id, origin)
        known = (await self._store.attempts([known_origin])).get(known_origin)
        is_known = known is not None and self._clock() - known.last_failure < KNOWN_FOR
        by_user = by_pair if is_known else self._key("user", user_id)
        attempt = Attempt(by_user, self._key("origin", origin), known_origin)
        await self.check(attempt)
        return attempt

    async def check(self, attempt: Attempt) -> None:
        """Refuse an attempt that has to wait by now.

        To be called again once a password turned out to be right: of many guesses at
        the same time only the first few may be believed.

        Raises:
            ResourceExhausted: LOGIN_THROTTLED.
        """
        now = self._clock()
        counts = await self._store.attempts([attempt.by_user, attempt.by_origin])
        wait = max((count.blocked_for(now) for count in counts.values()), default=timedelta())
        if wait:
            raise throttled(wait)

    async def failed(self, attempt: Attempt) -> None:
        """Count a wrong password."""
        now = self._clock()
        await self._store.forget_attempts(older_than=now - KNOWN_FOR)
        await self._store.count_failure(attempt.by_user, OF_A_USER, now=now)
        await self._store.count_failure(attempt.by_origin, OF_AN_ORIGIN, now=now)

    async def succeeded(self, attempt: Attempt) -> None:
        """Forget the user's wrong passwords; those of the origin stay.

        Otherwise a guesser could clear them with a login of their own now and then.
        """
        now = self._clock()
        await self._store.count_success(
            clear=attempt.by_user, remember=attempt.known_origin, now=now
        )

    def _key(self, kind: str, *parts: str) -> str:
        return self._digest("\x00".join(["attempts", kind, *parts]))


def throttled(wait: timedelta) -> ResourceExhausted:
    """Return the error of somebody who has to wait."""
    seconds = -(-wait // timedelta(seconds=1))
    return ResourceExhausted(
        f"too many wrong passwords; try again in {seconds} seconds",
        reason="LOGIN_THROTTLED",
        metadata={"retry_seconds": str(seconds)},
    )
