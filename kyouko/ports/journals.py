"""Where the changes of networks are written down, before they count as durable."""

from collections.abc import AsyncIterator, Callable, Sequence, Set
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class JournalRecord:
    """One record of a journal; positions count from 1 and never come twice."""

    position: int
    data: bytes


@dataclass(frozen=True)
class JournalDamage:
    """Records that were durable and cannot be read any more.

    Attributes:
        place: the segment or stream that is damaged, by name.
        last_good_position: the last record before the damage.
        problem: what is wrong there, for people.
    """

    place: str
    last_good_position: int
    problem: str


class NetworkJournal(Protocol):
    """What was learned, in order: the journal of one network.

    `append` is called from one thread at a time, any thread; all else from the event loop.
    """

    @property
    def damage(self) -> JournalDamage | None:
        """What could not be read when the journal was opened.

        Told at every opening until one whose snapshot knows of `last_position`: take one
        when the damage has been dealt with.
        """

    @property
    def last_position(self) -> int:
        """The position of the newest record, durable or not."""

    @property
    def durable_position(self) -> int:
        """The position up to which no crash can take anything; may be read from any thread."""

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        """Take a record, given in parts that nobody changes; returns its position. Never waits."""

    async def room(self) -> None:
        """Wait until few enough bytes wait for the disk that more may be appended.

        Raises:
            Unavailable: JOURNAL_UNAVAILABLE: the journal cannot be written to.
        """

    async def flush(self) -> None:
        """Wait until all that was appended is durable.

        Raises:
            Unavailable: JOURNAL_UNAVAILABLE: the journal cannot be written to.
        """

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call back, on the event loop, whenever `durable_position` has moved, or writing fails.

        Returns:
            What ends this.
        """

    def read(self, after: int) -> AsyncIterator[JournalRecord]:
        """Yield the durable records after a position, in order, up to damage or the newest.

        Raises:
            Unavailable: JOURNAL_UNAVAILABLE: they cannot be read now.
        """

    async def release(self, through: int) -> None:
        """Forget records up to a position, as far as that can be done cheaply."""

    async def close(self) -> None:
        """Make everything durable if possible, and let go of files and connections."""


class Journals(Protocol):
    """The journals of all networks."""

    async def open(self, uid: str, *, after: int) -> NetworkJournal:
        """Open the journal of a network whose snapshot knows of all positions up to `after`.

        A record that was cut off while it was written is removed. New positions are
        greater than `after` and than all that are there.

        Raises:
            Unavailable: JOURNAL_UNAVAILABLE.
        """

    async def delete(self, uid: str) -> None:
        """Forget a network's journal; a missing one counts as deleted."""

    async def uids(self) -> Set[str]:
        """Return the networks that have a journal."""

    async def check(self) -> None:
        """Raise when nothing can be made durable at this moment."""

    async def close(self) -> None:
        """Let go of everything; journals that are open are closed first."""
