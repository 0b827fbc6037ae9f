"""Bounds what all websockets together hold of messages."""

from typing import Protocol


class Holder(Protocol):
    """One who holds bytes and can be told to let go of them all."""

    def drop(self) -> None:
        """End, because everybody together holds too much."""


class Memory:
    """Adds up what is held. When it is too much, whoever holds most has to go.

    So who sends in small pieces, or reads what was asked for, is not disturbed by
    those who do not.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._held: dict[Holder, int] = {}
        self._total = 0

    @property
    def total_bytes(self) -> int:
        """What everybody holds together."""
        return self._total

    def hold(self, holder: Holder, size: int) -> None:
        """Take down what one holds now, in bytes."""
        self._total += size - self._held.pop(holder, 0)
        if size:
            self._held[holder] = size
        while self._total > self._limit:
            largest = max(self._held, key=self._held.__getitem__)
            self._total -= self._held.pop(largest)
            largest.drop()
