"""Slow twin of the comparison of groups of rows by a channel's values."""

import numpy as np
import numpy.typing as npt


def rate_dependence(places: npt.NDArray[np.float64], groups: npt.NDArray[np.int64]) -> float:
    """The larger F statistic of places and distances, as deviations above what chance gives."""
    names = np.unique(groups)
    found = []
    for values in (places, np.abs(places)):
        parts = [values[groups == name] for name in names]
        between = sum(len(part) * (part.mean() - values.mean()) ** 2 for part in parts)
        within = sum(((part - part.mean()) ** 2).sum() for part in parts)
        statistic = between / (len(names) - 1) / (within / (len(places) - len(names)))
        found.append((statistic - 1) * np.sqrt((len(names) - 1) / 2))
    return float(max(found))
