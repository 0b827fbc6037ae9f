"""Taking tokens back, and making fresh ones that are not taken back along with them.

A login reads roles and then makes a token; at the same time somebody may take one of
these roles away. Clocks alone do not tell which came first: the transaction that takes
the role away takes effect when it commits, not when it looked at the clock. So
revocations reach a little into the future, over their own commit and over clocks that
differ, and who makes a token first asks for the last revocation and dates the token
after it. A token made of roles read too early is older than that, and refused.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from mesh.access import Principal
from mesh.revocations import Revocation
from mesh.tokens import LEEWAY_SECONDS
from misaki.ports import AccessStore, Clock

# A transaction that takes longer than this from its look at the clock to its commit could
# miss a token. Less than the leeway of verifiers, who refuse tokens from the future.
REACH = timedelta(seconds=2)
_TICK = timedelta(microseconds=1)


class Revoker:
    """Makes revocations, and the dates of fresh tokens."""

    def __init__(self, store: AccessStore, *, clock: Clock, longest_token: timedelta) -> None:
        """Take the parts.

        Args:
            store: The revocations.
            clock: Tells the time.
            longest_token: How long an access token lasts at most.
        """
        self._store = store
        self._clock = clock
        self._lasts = REACH + longest_token + timedelta(seconds=LEEWAY_SECONDS)

    def of(self, subjects: Sequence[str]) -> Sequence[Revocation]:
        """Return what ends all tokens there are about some subjects.

        The method itself is given to that of a store which makes the change they follow
        from: so that both are one transaction, and dated when others can no longer come
        in between.
        """
        now = self._clock()
        return [Revocation(subject, now + REACH, now + self._lasts) for subject in subjects]

    async def revoke(self, *subjects: str) -> None:
        """End all tokens there are about some subjects, when nothing else changes."""
        await self._store.record_revocations(self.of(subjects))

    async def is_revoked(self, principal: Principal) -> bool:
        """Tell whether the token that speaks for somebody has been taken back already."""
        last = await self._store.last_revocation(principal.revocable_as)
        return last is not None and principal.issued_at < last.timestamp()

    async def issue_time(self, *subjects: str) -> datetime:
        """Return the date for a fresh token about some subjects.

        To be called before reading what the token is to say: then a change in between
        ends the token, instead of being missed.
        """
        now = self._clock()
        last = await self._store.last_revocation(subjects)
        return now if last is None else max(now, last + _TICK)
