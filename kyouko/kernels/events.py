"""The latest changes of a network's structure, kept in a ring."""

import numpy as np

from kyouko.kernels.compile import growth_kernel, growth_part
from kyouko.kernels.indices import (
    EVENT_GROWTH_STOPPED,
    EVENT_ROWS,
    EVENTS,
    GROWTH_STOPPED,
    LEARNED_ROWS,
)

__all__ = ["note_event", "stop_growth"]


@growth_kernel
def note_event(
    row: int, kind: int, subject: int, connections: int, events: np.ndarray, counters: np.ndarray
) -> None:
    """Write one event over the oldest one.

    Args:
        row: learned rows when it happens, the present one included.
        kind: one of the EVENT_ names in `indices`. Pass no literals: each would be compiled anew.
        subject: channel or output it happens to, -1 for the network as a whole.
        connections: connections gained, negative when lost.
        events: int64, shape (EVENT_ROWS, 4).
        counters: see `indices`; EVENTS is advanced.
    """
    place = counters[EVENTS] % EVENT_ROWS
    events[place, 0] = row
    events[place, 1] = kind
    events[place, 2] = subject
    events[place, 3] = connections
    counters[EVENTS] += 1


@growth_part
def stop_growth(reason: int, events: np.ndarray, counters: np.ndarray) -> None:
    """Remember why a section could not grow; only the first of many such failures is an event."""
    if counters[GROWTH_STOPPED] == 0:
        kind, nothing = np.int64(EVENT_GROWTH_STOPPED), np.int64(0)
        row = counters[LEARNED_ROWS] + 1
        note_event(row, int(kind), int(nothing - 1), int(nothing), events, counters)
    counters[GROWTH_STOPPED] = reason
