"""Compile or load the experts' kernels; a part of `kyouko.kernels.warmup`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kyouko.kernels.compile import argument_names
from kyouko.kernels.experts_linear import answer_linearly, follow_linearly
from kyouko.kernels.experts_memory import recall_rows
from kyouko.kernels.experts_mixing import mix_classes, mix_numbers
from kyouko.kernels.experts_scaling import standardise_rows, standardise_targets
from kyouko.kernels.experts_search import LEAST_PLACES

__all__ = ["EXPERT_KERNELS", "warm_up_experts"]

EXPERT_KERNELS: tuple[Callable[..., object], ...] = (
    standardise_rows,
    standardise_targets,
    answer_linearly,
    follow_linearly,
    recall_rows,
    mix_classes,
    mix_numbers,
)

_CHANNELS = 2
_WIDE = _CHANNELS + 1
_OUTPUTS = 2
_KEPT = 16
_MEMBERS = 2


def _tiny_arguments() -> dict[str, Any]:
    """Return one value for each parameter name of the kernels: the types of real use."""
    shapes: dict[type[np.generic], dict[str, tuple[int, ...]]] = {
        np.float32: {
            "inputs": (1, _CHANNELS),
            "targets": (1, _OUTPUTS),
            "fresh": (1, _CHANNELS),
            "inverse": (1, _CHANNELS),
            "answers": (1, _OUTPUTS),
            "recent_answers": (1, _OUTPUTS),
            "opinions": (_MEMBERS, 1, _OUTPUTS),
            "outputs": (1, _OUTPUTS),
            "losses": (1,),
            "ring_values": (_CHANNELS, _KEPT),
            "ring_target": (_KEPT, _OUTPUTS),
            "distance": (_KEPT,),
            "near_distance": (1,),
            "least": (LEAST_PLACES,),
        },
        np.float64: {
            "channel_mean": (_CHANNELS,),
            "channel_variance": (_CHANNELS,),
            "block_mean": (_CHANNELS,),
            "block_variance": (_CHANNELS,),
            "target_mean": (_OUTPUTS,),
            "target_variance": (_OUTPUTS,),
            "standard": (1, _WIDE),
            "middle": (1, _OUTPUTS),
            "unit": (1, _OUTPUTS),
            "weights": (_OUTPUTS, _WIDE),
            "covariance": (_WIDE, _WIDE),
            "noise": (1,),
            "scores": (_OUTPUTS,),
            "votes": (_OUTPUTS,),
            "trust": (_MEMBERS,),
            "trust_covariance": (_MEMBERS, _MEMBERS),
            "contrast": (_MEMBERS,),
            "gain": (_WIDE,),
            "stretch": (_WIDE,),
            "slope": (_MEMBERS,),
            "share": (_MEMBERS,),
            "miss": (_OUTPUTS,),
            "meters": (2,),
            "logarithms": (_MEMBERS, _OUTPUTS),
        },
        np.int64: {"channel_count": (_CHANNELS,), "ring_counters": (2,)},
        np.int32: {
            "labels": (1,),
            "predicted": (1,),
            "ring_label": (_KEPT,),
            "near_slot": (1,),
            "listed": (_KEPT + 1,),
        },
        np.uint8: {"awake": (_MEMBERS,), "correct": (1,)},
    }
    arguments: dict[str, Any] = {
        name: np.zeros(shape, dtype)
        for dtype, named in shapes.items()
        for name, shape in named.items()
    }
    arguments.update(
        rows=1, learn=True, classes=True, known=1, seen=1, forgetting=0.5, most_noise=0.0,
        search_all=True, search_recent=True,
    )  # fmt: skip
    arguments["unit"][:] = 1.0
    return arguments


def warm_up_experts() -> None:
    """Call every kernel once on tiny arrays."""
    arguments = _tiny_arguments()
    for kernel in EXPERT_KERNELS:
        kernel(*(arguments[name] for name in argument_names(kernel)))
