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


def cover_targets(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> float:
    """Share of the diversity of `whole`, by the groups of its rows, that is there in `part`."""
    found, total = 0.0, 0.0
    for name in np.unique(whole):
        usual, now = np.mean(whole == name), np.mean(part == name)
        found += (1 - usual) * min(usual, now)
        total += (1 - usual) * usual
    return float(found / total)


def sort_numbers(targets: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Bin of each number: far from or near to the mean so far, above or below it."""
    bins = []
    mean, distance = 0.0, 0.0
    for count, target in enumerate(targets, start=1):
        before = target - mean
        mean += before / count
        distance += (abs(before) - distance) / count
        bins.append(2 * int(target > mean) + int(abs(target - mean) > distance))
    return np.array(bins)
