"""The latest growth events of a static network: it starts, opens outputs, takes on channels."""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.interface import GrowthEvent, GrowthKind

__all__ = ["KEPT_EVENTS", "EventLog"]

KEPT_EVENTS: Final = 256


@dataclass(frozen=True)
class EventLog:
    """A ring of events.

    Attributes:
        kept: int64, shape (KEPT_EVENTS, 4): row, kind, subject, connections of event n at place
            (n - 1) % KEPT_EVENTS.
        total: int64, shape (1,): events so far, the forgotten ones included.
    """

    kept: npt.NDArray[np.int64]
    total: npt.NDArray[np.int64]

    @classmethod
    def create(cls) -> Self:
        """Allocate an empty ring."""
        return cls(np.zeros((KEPT_EVENTS, 4), np.int64), np.zeros(1, np.int64))

    def note(self, kind: GrowthKind, *, row: int, subject: int = -1, connections: int = 0) -> None:
        """Write one event over the oldest one."""
        self.kept[self.total[0] % KEPT_EVENTS] = row, int(kind), subject, connections
        self.total[0] += 1

    def since(self, number: int) -> tuple[GrowthEvent, ...]:
        """Return the kept events above a number, oldest first."""
        total = int(self.total[0])
        first = max(number, total - KEPT_EVENTS, 0)
        return tuple(self._event(place) for place in range(first, total))

    def _event(self, place: int) -> GrowthEvent:
        row, kind, subject, connections = self.kept[place % KEPT_EVENTS].tolist()
        return GrowthEvent(place + 1, row, GrowthKind(kind), subject, connections)

    def note_labels(
        self, labels: npt.NDArray[Any], known: int, *, row: int, connections: int
    ) -> None:
        """Note the outputs that labels open.

        Args:
            labels: int32, shape (rows,).
            known: outputs known before.
            row: number of the first row, from 1.
            connections: weights of one output.
        """
        if not len(labels) or int(labels.max()) < known:
            return
        for place, label in enumerate(labels.tolist()):
            for output in range(known, label + 1):
                self.note(
                    GrowthKind.OUTPUT_OPENED,
                    row=row + place,
                    subject=output,
                    connections=connections,
                )
            known = max(known, label + 1)
