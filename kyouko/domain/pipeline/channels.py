"""Channels by name: what a pipeline's declaration means by `3`, `pump` or `pump[2]`."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["UnknownChannelError", "find_channels"]

_REFERENCE: Final = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z0-9_.-]{0,127})(\[(?P<index>[0-9]{1,7})\])?"
)
_INDEX: Final = re.compile(r"[0-9]{1,7}")


class UnknownChannelError(ValueError):
    """A reference to no channel."""

    def __init__(self, place: int, problem: str) -> None:
        """Keep where in the list the reference stands."""
        super().__init__(problem)
        self.place = place
        self.problem = problem


def find_channels(references: Sequence[str], inputs: Iterable[tuple[str, int]]) -> tuple[int, ...]:
    """Return the raw channels that references stand for, in their order.

    Args:
        references: indices into the row, names of inputs (all channels of it), `name[index]`.
        inputs: name and channels of each input population, in the order of the row.

    Raises:
        UnknownChannelError: A reference stands for no channel, or for one that came before.
    """
    spans: dict[str, range] = {}
    total = 0
    for name, count in inputs:
        spans.setdefault(name, range(total, total + count))
        total += count
    found: dict[int, None] = {}
    for place, reference in enumerate(references):
        for channel in _channels_of(place, reference, spans, total):
            if channel in found:
                raise UnknownChannelError(place, f"channel {channel} is named twice")
            found[channel] = None
    return tuple(found)


def _channels_of(place: int, reference: str, spans: dict[str, range], total: int) -> Sequence[int]:
    if _INDEX.fullmatch(reference):
        if int(reference) < total:
            return (int(reference),)
        raise UnknownChannelError(place, f"there is no channel {reference}; 0 to {total - 1} are")
    match = _REFERENCE.fullmatch(reference)
    span = spans.get(match["name"]) if match else None
    if match is None or span is None:
        known = ", ".join(list(spans)[:20])
        raise UnknownChannelError(
            place,
            f"{reference[:140]!r} is no channel; an index, the name of an input, or name[index], "
            f"with {known}",
        )
    if match["index"] is None:
        return span
    if int(match["index"]) >= len(span):
        raise UnknownChannelError(
            place, f"{match['name']} has the channels 0 to {len(span) - 1}, not {match['index']}"
        )
    return (span[int(match["index"])],)
