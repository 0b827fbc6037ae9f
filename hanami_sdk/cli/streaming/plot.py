"""The picture of a stream in a terminal: two lines of bars, the network's and the baseline's."""

from __future__ import annotations

import math
from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], *, low: float, high: float) -> str:
    """Return a value as one bar each, a blank where it is not finite."""
    span = high - low
    bars = []
    for value in values:
        if not math.isfinite(value):
            bars.append(" ")
            continue
        share = (value - low) / span if span > 0 else 0.5
        bars.append(_BARS[min(len(_BARS) - 1, max(0, int(share * len(_BARS))))])
    return "".join(bars)


def bounds(*series: Sequence[float]) -> tuple[float, float]:
    """Return the least and the largest finite value of all series; 0 and 1 without any."""
    finite = [value for values in series for value in values if math.isfinite(value)]
    return (min(finite), max(finite)) if finite else (0.0, 1.0)
