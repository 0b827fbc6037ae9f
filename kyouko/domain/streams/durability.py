"""Follows how far the journal is with the frames of one stream."""

from collections import deque

from kyouko.ports import NetworkJournal


class Durability:
    """Knows which frames no crash can take any more.

    Args:
        sequence: last sequence of the session that is durable already.
    """

    def __init__(self, journal: NetworkJournal, sequence: int) -> None:
        self._journal = journal
        self._sequence = sequence
        self._told = sequence
        # Position and sequence of what may not be durable yet.
        self._ahead: deque[tuple[int, int]] = deque()

    def add(self, position: int, sequence: int) -> None:
        """Note that a frame is durable once the journal is at this position."""
        self._ahead.append((position, sequence))

    @property
    def has_news(self) -> bool:
        """Whether more is durable than the client was told."""
        return self._now() > self._told

    def told(self) -> int:
        """Return the last durable sequence, which the client is told now."""
        self._told = self._now()
        return self._told

    def _now(self) -> int:
        durable = self._journal.durable_position
        while self._ahead and self._ahead[0][0] <= durable:
            self._sequence = max(self._sequence, self._ahead.popleft()[1])
        return self._sequence
