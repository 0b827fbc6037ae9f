"""The latest changes of a network's structure, kept in a ring."""

import numpy as np

from kyouko.kernels.compile import growth_kernel, growth_part
from kyouko.kernels.indices import (
    EVENT_BAND_MOVED,
    EVENT_CHANNEL_GREW,
    EVENT_CHANNEL_PRUNED,
    EVENT_GROWTH_STOPPED,
    EVENT_ROWS,
    EVENT_SECTION_ADDED,
    EVENTS,
    GROWTH_STOPPED,
    LEARNED_ROWS,
)

__all__ = ["note_event", "stop_growth"]


@growth_part
def _find_event(row: int, kind: int, events: np.ndarray, counters: np.ndarray) -> int:
    """Return the place of an event of the same row and kind that can take in one more, or -1.

    One review may move the bands of a thousand channels, and one row may light them all: event by
    event they would push all others out of the ring.
    """
    of_channels = kind in (
        EVENT_CHANNEL_GREW, EVENT_SECTION_ADDED, EVENT_CHANNEL_PRUNED, EVENT_BAND_MOVED
    )  # fmt: skip
    if not of_channels:
        return -1
    total = int(counters[EVENTS])
    for back in range(1, min(total, EVENT_ROWS) + 1):
        place = (total - back) % EVENT_ROWS
        if events[place, 0] != row:
            break
        if events[place, 1] == kind:
            return place
    return -1


@growth_kernel
def note_event(
    row: int, kind: int, subject: int, connections: int, events: np.ndarray, counters: np.ndarray
) -> None:
    """Write one event over the oldest one; of channels, those of one kind and row make one event.

    Args:
        row: learned rows when it happens, the present one included.
        kind: one of the EVENT_ names in `indices`. Pass no literals: each would be compiled anew.
        subject: channel or output it happens to, -1 for the network as a whole, or several.
        connections: connections gained, negative when lost.
        events: int64, shape (EVENT_ROWS, 4).
        counters: see `indices`; EVENTS is advanced by new events.
    """
    known = _find_event(row, kind, events, counters)
    if known >= 0:
        if events[known, 2] != subject:
            events[known, 2] = -1
        events[known, 3] += connections
        return
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
