"""Slow twins of the input coding: lists and sorted values, one channel at a time."""

import itertools
from collections import Counter

Knots = list[float]


def find_band(values: list[float]) -> tuple[float, float]:
    """Resting band of the values: the mode, else a narrow half or quarter, else the median."""
    ordered = sorted(values)
    count = len(ordered)
    times = Counter(ordered)
    often = max(times.values())
    if often >= 2 and often >= 0.15 * count:
        value = min(value for value, number in times.items() if number == often)
        return value, value
    if count >= 16:
        spread = ordered[count - 1 - count // 16] - ordered[count // 16]
        width, low = narrowest(ordered, count // 2)
        if not width < 0.05 * spread:
            width, low = narrowest(ordered, count // 4)
        if width < 0.05 * spread:
            bottom, top = low - 2.25 * width, low + 3.25 * width
            held = [value for value in ordered if bottom <= value <= top]
            width, low = narrowest(held, len(held) // 2)
            return low - 2.25 * width, low + 3.25 * width
    return ordered[count // 2], ordered[count // 2]


def narrowest(ordered: list[float], held: int) -> tuple[float, float]:
    """Width and lower end of the narrowest interval that spans so many gaps."""
    return min(
        (ordered[place + held] - ordered[place], ordered[place])
        for place in range(len(ordered) - held)
    )


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
    if inner[0] > 0:
        marks = marks[1:]
    if inner[-1] < 0:
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
