"""Records on their way from the appending thread to those who make them durable."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from kyouko.storage.journal.records import MAX_PAYLOAD_BYTES, Part, size_of

# What Python keeps of a record that waits, besides its bytes.
_OVERHEAD_BYTES: Final = 512


class PendingRecord(NamedTuple):
    """A record that is not durable yet. `size` counts the bytes of its payload."""

    position: int
    parts: Sequence[Part]
    size: int


class PendingRecords:
    """The records of one journal that are not durable yet, without a lock.

    One thread appends and one other collects. A record is queued before the flag is looked at,
    and the flag is lowered before the queue is emptied, so none is overlooked.

    Args:
        last_position: the newest position there is.
        wake: called in the appending thread when somebody has to collect.
    """

    def __init__(self, last_position: int, wake: Callable[[], None]) -> None:
        self.last_position = last_position
        self.durable_position = last_position
        # Why nothing can be made durable; empty while it can.
        self.problem = ""
        self._wake = wake
        self._queue: deque[PendingRecord] = deque()
        self._is_waiting = False
        self._collected: list[PendingRecord] = []
        self._appended_bytes = 0
        self._stored_bytes = 0

    @property
    def held_bytes(self) -> int:
        """The memory that is held by what is not durable yet."""
        return self._appended_bytes - self._stored_bytes

    def append(self, parts: Sequence[Part]) -> int:
        """Queue a record; returns its position."""
        size = sum(map(size_of, parts))
        if size > MAX_PAYLOAD_BYTES:
            raise ValueError(f"a record of {size} bytes is larger than {MAX_PAYLOAD_BYTES}")
        position = self.last_position + 1
        self._queue.append(PendingRecord(position, parts, size))
        self._appended_bytes += size + _OVERHEAD_BYTES
        self.last_position = position
        if not self._is_waiting:
            self._is_waiting = True
            self._wake()
        return position

    def collect(self) -> Sequence[PendingRecord]:
        """Return all records that are not durable, oldest first."""
        self._is_waiting = False
        while self._queue:
            self._collected.append(self._queue.popleft())
        return self._collected

    def stored(self, count: int) -> None:
        """Take note that the first of the collected records are durable."""
        done = self._collected[:count]
        del self._collected[:count]
        self.durable_position = done[-1].position
        self._stored_bytes += sum(record.size + _OVERHEAD_BYTES for record in done)


class Backlog:
    """Bounds what all journals of a process hold in memory.

    Args:
        pending: what each open journal holds.
        most_bytes: how much there may be.
        now: seconds on a clock that only goes forward.
    """

    # How old the sum may be. It is asked for with every frame.
    _SUM_SECONDS: Final = 0.005

    def __init__(
        self,
        pending: Callable[[], Sequence[PendingRecords]],
        *,
        most_bytes: int,
        now: Callable[[], float],
    ) -> None:
        self._pending = pending
        self._most_bytes = most_bytes
        self._now = now
        self._sum = 0
        self._summed_at = float("-inf")

    def is_full(self) -> bool:
        """Tell whether more waits than may."""
        now = self._now()
        if now - self._summed_at > self._SUM_SECONDS:
            self._summed_at = now
            # What cannot be written waits on its own account: nothing is added to it.
            self._sum = sum(one.held_bytes for one in self._pending() if not one.problem)
        return self._sum > self._most_bytes

    def has_shrunk(self) -> None:
        """Forget the sum: some of it is durable now."""
        self._summed_at = float("-inf")
