"""Moving experts into wider arrays when channels are added at run time."""

from dataclasses import fields

import numpy as np

from kyouko.domain.engine.experts.state import SCRATCH, ExpertState

__all__ = ["widen_experts"]

_BY_CHANNEL = frozenset({"channel_mean", "channel_variance", "channel_count"})
_WEIGHTS = frozenset({"steady_weights", "quick_weights", "reflex_weights"})
_COVARIANCES = frozenset({"steady_covariance", "quick_covariance"})
# Kept rows lack the new channels.
_ANEW = frozenset({"ring_values", "ring_label", "ring_target", "ring_counters"})


def widen_experts(old: ExpertState, wider: ExpertState) -> ExpertState:
    """Copy what the experts learned into freshly allocated arrays of more channels.

    Returns:
        `wider`: new channels have weight 0; the memory begins anew.
    """
    before = len(old.channel_mean)
    # Of each old column the new one: channels stay in front, the bias stays last.
    column = np.append(np.arange(before), len(wider.channel_mean))
    for item in fields(ExpertState):
        name = item.name
        source, target = getattr(old, name), getattr(wider, name)
        if name in SCRATCH or name in _ANEW:
            continue
        if name in _BY_CHANNEL:
            target[:before] = source
        elif name in _WEIGHTS:
            target[:, column] = source
        elif name in _COVARIANCES:
            target[np.ix_(column, column)] = source
        else:
            target[:] = source
    return wider
