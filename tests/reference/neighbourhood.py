"""The search for neighbouring channels once more: one channel at a time, the plain way."""

from collections import deque

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


def code_channel(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Deviations of one channel from its median, in units of the usual one, cut off there."""
    deviations = values - np.median(values)
    active = [abs(deviation) for deviation in deviations if deviation != 0.0]
    return np.asarray(np.clip(deviations / np.quantile(active, 0.9), -1.0, 1.0))


def find_neighbours(rows: Float32, count: int = 5) -> list[set[int]]:
    """The `count` most correlated channels of each one, and those that chose it in turn."""
    codes = [code_channel(column) for column in rows.astype(np.float64).T]
    neighbours: list[set[int]] = [set() for _ in codes]
    for channel, code in enumerate(codes):
        likeness = [
            (abs(float(np.corrcoef(code, other)[0, 1])), -place)
            for place, other in enumerate(codes)
        ]
        likeness[channel] = (0.0, -channel)
        for value, place in sorted(likeness, reverse=True)[:count]:
            if value >= 4.0 / np.sqrt(len(rows)):
                neighbours[channel].add(-place)
                neighbours[-place].add(channel)
    return neighbours


def count_steps(neighbours: list[set[int]], start: int) -> list[int]:
    """Steps from neighbour to neighbour, the number of channels where no way leads."""
    steps = [len(neighbours)] * len(neighbours)
    steps[start] = 0
    waiting = deque([start])
    while waiting:
        channel = waiting.popleft()
        for other in neighbours[channel]:
            if steps[other] > steps[channel] + 1:
                steps[other] = steps[channel] + 1
                waiting.append(other)
    return steps


def find_centres(rows: Float32, populations: int) -> list[int]:
    """Centres far apart, the first one in the middle, among the channels that vary enough."""
    spread = [float(code_channel(column).std()) for column in rows.astype(np.float64).T]
    able = [place for place, value in enumerate(spread) if value > np.median(spread) / 2]
    neighbours = find_neighbours(rows)
    steps = {place: count_steps(neighbours, place) for place in able}
    centres = [min(able, key=lambda place: sum(steps[place][other] for other in able))]
    while len(centres) < populations:
        centres.append(max(able, key=lambda place: min(steps[place][centre] for centre in centres)))
    return centres
