"""Moving experts into wider arrays when channels are added at run time."""

from dataclasses import fields

import numpy as np

from kyouko.domain.engine.experts.state import SCRATCH, ExpertState

__all__ = ["widen_experts"]

_BY_CHANNEL = frozenset(
    {"channel_mean", "channel_variance", "channel_count", "block_mean", "block_variance"}
)
_WEIGHTS = frozenset({"steady_weights", "quick_weights", "reflex_weights"})
_COVARIANCES = frozenset({"steady_covariance", "quick_covariance"})
_RING = frozenset({"ring_values", "ring_label", "ring_target", "ring_counters"})


def widen_experts(old: ExpertState, wider: ExpertState) -> ExpertState:
    """Copy what the experts learned into freshly allocated arrays of more channels.

    Returns:
        `wider`: new channels have weight 0, and are missing in the rows of the memory.
    """
    before = len(old.channel_mean)
    # Of each old column the new one: channels stay in front, the bias stays last.
    column = np.append(np.arange(before), len(wider.channel_mean))
    for item in fields(ExpertState):
        name = item.name
        source, target = getattr(old, name), getattr(wider, name)
        if name in SCRATCH or name in _RING:
            continue
        if name in _BY_CHANNEL:
            target[:before] = source
        elif name in _WEIGHTS:
            target[:, column] = source
        elif name in _COVARIANCES:
            target[np.ix_(column, column)] = source
        else:
            target[:] = source
    _move_ring(old, wider)
    return wider


def _move_ring(old: ExpertState, wider: ExpertState) -> None:
    """Copy the kept rows from the oldest to the newest, or as many of the newest as fit."""
    following, kept = (int(value) for value in old.ring_counters)
    held = min(kept, wider.kept_rows)
    slots = (following - held + np.arange(held)) % old.kept_rows
    wider.ring_values[:] = np.nan
    wider.ring_values[: len(old.channel_mean), :held] = old.ring_values[:, slots]
    wider.ring_label[:held] = old.ring_label[slots]
    wider.ring_target[:held] = old.ring_target[slots]
    wider.ring_counters[:] = held % wider.kept_rows, held
