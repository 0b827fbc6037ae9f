"""The choice of the row that makes room in a memory shared by classes, slowly and plainly."""

from collections import Counter
from collections.abc import Iterator

MASK = (1 << 64) - 1


def draw_uniforms(state: int) -> Iterator[float]:
    """Yield numbers in (0, 1) from a 64-bit xorshift generator (Marsaglia 2003)."""
    while True:
        state ^= state << 13 & MASK
        state ^= state >> 7
        state ^= state << 17 & MASK
        yield ((state >> 11) + 0.5) / 2**53


def choose_leaving(
    labels: list[int], errors: list[float], label: int, *, easy: bool, random_state: int
) -> int | None:
    """Return the place of the row that leaves for a new one, None if the new one is not kept."""
    sizes = Counter(labels)
    share = len(labels) / len(sizes.keys() | {label})
    leaving = min(sizes, key=lambda item: (-sizes[item], item))
    if sizes[label] >= share:
        if easy:
            return None
        leaving = label
    places = [place for place, item in enumerate(labels) if item == leaving]
    uniform = draw_uniforms(random_state)
    first, second = (places[int(next(uniform) * len(places))] for _ in range(2))
    return second if errors[second] < errors[first] else first
