"""Slow twin of the review that removes channels of little utility."""

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.growing.state import NetworkState
from kyouko.kernels import indices
from tests.reference.coding import drive_sections
from tests.reference.network import copy_weights

Float64 = npt.NDArray[np.float64]


def sum_drives(state: NetworkState, row: npt.NDArray[np.float32]) -> Float64:
    """Squared drives of a raw row, summed by channel."""
    sums = np.zeros(len(row))
    for channel, value in enumerate(row.astype(np.float64)):
        knots = [float(knot) for knot in state.knots[channel, : state.section_count[channel] + 1]]
        if state.section_count[channel] > 0 and not np.isnan(value):
            low, high = float(state.resting_low[channel]), float(state.resting_high[channel])
            drives = drive_sections(float(value), low, high, knots)
            sums[channel] = sum(drive**2 for drive in drives)
    return sums


def find_useless(state: NetworkState) -> set[int]:
    """Channels that a review of the state as it is now removes."""
    weights = copy_weights(state, averaged=False)
    heard = (weights.outputs**2).sum(axis=0).reshape(weights.bias.shape)
    for block in reversed(range(len(heard))):
        for edge in range(int(state.inner_first[block]), int(state.inner_first[block + 1])):
            through = float((weights.sections[edge] ** 2) @ heard[block])
            heard.reshape(-1)[state.inner_source[edge]] += through
    utility = np.zeros(len(state.use))
    for channel in range(len(state.use)):
        for edge in range(state.reach_first[channel], state.reach_first[channel + 1]):
            for section in range(state.section_count[channel]):
                row = weights.sections[state.row_table[section, edge]]
                utility[channel] += float((row**2 * heard[state.reach_block[edge]]).sum())
    utility *= state.use
    judged = (state.phase == indices.PHASE_REVIEWED) & (state.section_count > 0)
    if not judged.any():
        return set()
    low = utility < 0.01 * utility[judged].mean()
    rare = state.use < 0.1 * state.use[judged].mean()
    return {int(channel) for channel in np.flatnonzero(judged & low & rare)}
