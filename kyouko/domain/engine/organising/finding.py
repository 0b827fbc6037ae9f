"""Finding out from some rows which channels are neighbours; plain functions on arrays.

Channels that lie side by side in the world, as the pixels of a picture, tell nearly the same. So
the most correlated channels are taken for neighbours, and the number of steps from neighbour to
neighbour for the distance: the correlation itself says little about channels further away.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from kyouko.domain.engine.structure import Organisation

__all__ = ["find_reaches"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

_NEIGHBOURS: Final = 5
_LEAST_ACTIVE: Final = 0.01  # share of the rows in which a channel is not at rest
# Correlations below this number of standard deviations of chance make no neighbours.
_LEAST_SIGNIFICANCE: Final = 4.0
# Of more channels the most active ones take part: the work grows with their square.
_MOST_CHANNELS: Final = 4096
_MOST_STARTS: Final = 256
_ROWS_AT_ONCE: Final = 256
_HUGE: Final = 1e300


def find_reaches(rows: Float32, organisation: Organisation) -> tuple[tuple[int, ...], ...]:
    """Find the channels that each of the local populations should reach.

    Args:
        rows: shape (rows, channels), raw values; NaN means missing.
        organisation: how many populations, and how many channels each of them reaches.

    Returns:
        For each population its channels, ascending. Empty if there is nothing to divide: too few
        channels that are active and correlated.

    Sources: distances along a graph of neighbours after Tenenbaum, de Silva & Langford 2000, "A
    Global Geometric Framework for Nonlinear Dimensionality Reduction"; centres after Gonzalez 1985,
    "Clustering to Minimize the Maximum Intercluster Distance".
    """
    codes, channels = _encode(rows)
    if len(channels) <= organisation.channels:
        return ()
    spread = np.linalg.norm(codes, axis=0)
    codes /= spread
    graph = _connect(codes)
    candidates = _choose_candidates(spread, graph, organisation.channels)
    reaches = []
    for centre, steps in _place_centres(graph, candidates, organisation.populations):
        likeness = np.abs(codes[:, centre] @ codes)
        nearest = np.lexsort((-likeness, steps))[: organisation.channels]
        reaches.append(tuple(np.sort(channels[nearest]).tolist()))
    return tuple(reaches)


def _encode(rows: Float32) -> tuple[Float64, Index]:
    """Return codes of mean 0 of the channels that are active and vary, and which these are.

    A code is the deviation from the median in units of the usual one, cut off there: no outlier,
    scale or offset matters.
    """
    values = rows.astype(np.float64)
    values[:, np.isnan(values).all(axis=0)] = 0.0
    # An infinity less an infinite median says nothing, as a missing value does.
    with np.errstate(invalid="ignore"):
        deviations = values - np.nanmedian(values, axis=0)
    deviations = np.nan_to_num(deviations, posinf=_HUGE, neginf=-_HUGE)
    active = deviations != 0.0
    share = active.mean(axis=0)
    channels = np.flatnonzero(share > _LEAST_ACTIVE)
    if len(channels) > _MOST_CHANNELS:
        channels = np.sort(np.argsort(-share, kind="stable")[:_MOST_CHANNELS])
    deviations = deviations[:, channels]
    sizes = np.where(active[:, channels], np.abs(deviations), np.nan)
    if len(channels) > 0:
        deviations /= np.nanquantile(sizes, 0.9, axis=0)
    codes = np.clip(deviations, -1.0, 1.0)
    codes -= codes.mean(axis=0)
    varied = np.abs(codes).max(axis=0, initial=0.0) > 1e-6
    return codes[:, varied], channels[varied]


def _connect(codes: Float64) -> csr_array[Any, Any]:
    """Connect each channel with those that are most correlated with it, whatever the sign.

    Args:
        codes: columns of mean 0 and length 1, so that their products are the correlations.
    """
    rows, channels = codes.shape
    least = _LEAST_SIGNIFICANCE / np.sqrt(rows)
    starts, ends = [], []
    for first in range(0, channels, _ROWS_AT_ONCE):
        part = np.arange(first, min(first + _ROWS_AT_ONCE, channels))
        likeness = np.abs(codes[:, part].T @ codes)
        likeness[np.arange(len(part)), part] = 0.0
        nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :_NEIGHBOURS]
        good = np.take_along_axis(likeness, nearest, axis=1) >= least
        starts.append(np.repeat(part, good.sum(axis=1)))
        ends.append(nearest[good])
    start, end = np.concatenate(starts), np.concatenate(ends)
    there_and_back = (np.concatenate([start, end]), np.concatenate([end, start]))
    return csr_array((np.ones(2 * len(start)), there_and_back), shape=(channels, channels))


def _choose_candidates(spread: Float64, graph: csr_array[Any, Any], reached: int) -> Index:
    """Choose the channels that may be centres.

    Not those that hardly vary: they lie on the border of what happens. Nor those of an island far
    smaller than what a population reaches.
    """
    _, island = connected_components(graph, directed=False)
    size = np.bincount(island)[island]
    return np.flatnonzero((spread > np.median(spread) / 2) & (size >= reached / 4))


def _count_steps(graph: csr_array[Any, Any], starts: Index) -> Float64:
    """Return the steps from each of the starts to every channel, shape (starts, channels)."""
    steps = dijkstra(graph, directed=False, indices=starts, unweighted=True)
    # Islands lie further away than anything else.
    return np.asarray(np.minimum(steps, graph.shape[0]))


def _place_centres(
    graph: csr_array[Any, Any], candidates: Index, most: int
) -> list[tuple[int, Float64]]:
    """Place centres far apart, and return each with the steps from it to every channel.

    The first one is the candidate in the middle, of many candidates the best of a sample; each
    further one is the candidate that lies furthest from those before.
    """
    if len(candidates) == 0:
        return []
    sample = candidates[np.linspace(0, len(candidates) - 1, _MOST_STARTS).astype(np.intp)]
    total = _count_steps(graph, np.unique(sample))[:, candidates].sum(axis=1)
    centre = int(np.unique(sample)[np.argmin(total)])
    found: list[tuple[int, Float64]] = []
    least = np.full(graph.shape[0], np.inf)
    while len(found) < most and least[centre] > 0.0:
        steps = _count_steps(graph, np.array([centre]))[0]
        found.append((centre, steps))
        least = np.minimum(least, steps)
        centre = int(candidates[np.argmax(least[candidates])])
    return found
