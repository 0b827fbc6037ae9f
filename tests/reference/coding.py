"""Slow twins of the input coding: lists and sorted values, one channel at a time."""

import itertools
from collections import Counter

Knots = list[float]


def find_band(values: list[float]) -> tuple[float, float]:
    """Resting band of the values: the mode, else a narrow half, else the median."""
    ordered = sorted(values)
    count = len(ordered)
    times = Counter(ordered)
    often = max(times.values())
    if often >= 2 and often >= 0.15 * count:
        value = min(value for value, number in times.items() if number == often)
        return value, value
    if count >= 16:
        half = count // 2
        spread = ordered[count - 1 - count // 16] - ordered[count // 16]
        width, low, high = min(
            (ordered[place + half] - ordered[place], ordered[place], ordered[place + half])
            for place in range(count - half)
        )
        if width < 0.1 * spread:
            return low - width / 2, high + width / 2
    return ordered[count // 2], ordered[count // 2]


def quantile(ordered: list[float], share: float) -> float:
    """Linear between neighbouring values."""
    exact = share * (len(ordered) - 1)
    below = int(exact)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (exact - below) * (ordered[above] - ordered[below])


def place_knots(values: list[float], wanted: int) -> Knots:
    """Ascending knots at quantiles of the values, 0 among them."""
    ordered = sorted(values)
    cut = len(ordered) // 16
    inner = ordered[cut : len(ordered) - cut]
    marks = [quantile(inner, share / wanted) for share in range(wanted + 1)]
    if ordered[0] > 0:
        marks = marks[1:]
    if ordered[-1] < 0:
        marks = marks[:-1]
    closest = (1e-6 if wanted == 1 else 1e-3) * (max([*marks, 0.0]) - min([*marks, 0.0]))
    above: Knots = []
    for mark in sorted(mark for mark in marks if mark > 0):
        if mark - (above[-1] if above else 0.0) > closest:
            above.append(mark)
    below: Knots = []
    for mark in sorted((mark for mark in marks if mark < 0), reverse=True):
        if (below[-1] if below else 0.0) - mark > closest:
            below.append(mark)
    return [*reversed(below), 0.0, *above]


def drive_sections(value: float, low: float, high: float, knots: Knots) -> list[float]:
    """Drive of each section: its passed part, less what is passed at rest."""
    offset = value - high if value > high else value - low if value < low else 0.0

    def passed(place: float, start: float, end: float) -> float:
        return min(max((place - start) / (end - start), 0.0), 1.0)

    return [
        passed(offset, start, end) - passed(0.0, start, end)
        for start, end in itertools.pairwise(knots)
    ]
