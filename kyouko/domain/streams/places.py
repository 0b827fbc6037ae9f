"""Who may open a stream more: of the machine, a project, a user, and guests.

Guests have a part of what all streams share, so that members find room however many come.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

from kyouko.domain.quotas import Quotas
from kyouko.domain.rates import Pace
from kyouko.domain.streams.memory import Share, StreamMemory
from mesh.access import Principal
from mesh.errors import ResourceExhausted
from mesh.guests import is_guest, subjects_of_use
from mesh.quotas import Quota

# Of the streams of the machine, rounded up, and of their memory.
_PART_OF_GUESTS: Final = 4


@dataclass(frozen=True)
class Place:
    """A place that is taken.

    Attributes:
        pace: How fast rows may come.
        share: The memory that the stream holds; closed by whoever opens the stream.
    """

    pace: Pace
    share: Share


class Places:
    """The places of all streams; a stream takes its own before its network is loaded."""

    def __init__(self, quotas: Quotas, *, streams: int, memory_bytes: int) -> None:
        """Take the bounds of all streams together: how many, and the memory for their rows."""
        self._quotas = quotas
        self._most = streams
        self._most_of_guests = -(-streams // _PART_OF_GUESTS)
        self._memory = StreamMemory(memory_bytes)
        self._memory_of_guests = StreamMemory(memory_bytes // _PART_OF_GUESTS, within=self._memory)
        self._taken = 0
        self._taken_by_guests = 0

    @asynccontextmanager
    async def taken(self, project_id: str, principal: Principal) -> AsyncIterator[Place]:
        """Take a place as long as the context lasts.

        Raises:
            ResourceExhausted: LIMIT_REACHED, QUOTA_EXCEEDED.
        """
        subjects = subjects_of_use(project_id, principal)
        as_guest = is_guest(principal, project_id)
        memory = self._memory_of_guests if as_guest else self._memory
        with (
            self._of_machine(as_guest=as_guest),
            self._quotas.counts.held(subjects, Quota.STREAMS),
            self._quotas.rates.pacing(subjects) as pace,
        ):
            yield Place(pace, Share(memory))

    @contextmanager
    def _of_machine(self, *, as_guest: bool) -> Iterator[None]:
        if self._taken >= self._most:
            raise _too_many("streams are open", self._most)
        if as_guest and self._taken_by_guests >= self._most_of_guests:
            raise _too_many("streams of guests are open", self._most_of_guests)
        self._taken += 1
        self._taken_by_guests += as_guest
        try:
            yield
        finally:
            self._taken -= 1
            self._taken_by_guests -= as_guest


def _too_many(what: str, limit: int) -> ResourceExhausted:
    return ResourceExhausted(
        f"{limit} {what}, as many as there may be",
        reason="LIMIT_REACHED",
        metadata={"limit": str(limit)},
    )
