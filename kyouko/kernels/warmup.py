"""Compile or load every kernel before the first user's row arrives."""

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from kyouko.kernels import dense_indices, indices
from kyouko.kernels.bands import choose_bands
from kyouko.kernels.compile import argument_names, is_cached
from kyouko.kernels.dense import learn_dense, predict_dense, scale_dense
from kyouko.kernels.events import note_event
from kyouko.kernels.graph import start_inner_rows
from kyouko.kernels.learning import learn_rows
from kyouko.kernels.outputs import start_outputs
from kyouko.kernels.predicting import predict_rows
from kyouko.kernels.pruning import prune_channels
from kyouko.kernels.reviewing import are_missed, review_bands
from kyouko.kernels.scanning import count_non_finite, scan_byte_rows, scan_float_rows
from kyouko.kernels.trial_rows import judge_row, learn_on_trial
from kyouko.kernels.trials import begin_trial, end_trial
from kyouko.kernels.warmup_experts import warm_up_experts
from kyouko.kernels.warmup_helper import helper, work_as_helper
from kyouko.kernels.watching import sample_byte_rows, sample_float_rows

__all__ = ["is_cached", "warm_up", "warm_up_dense"]

_CHANNELS = 2
_WIDTH = 8
_OUTPUTS = 2
_SLOTS = 2
_POOL = 64


def _tiny_arguments() -> dict[str, Any]:
    """Return one value for each parameter name of the kernels: the types of real use."""
    shapes: dict[type[np.generic], dict[str, tuple[int, ...]]] = {
        np.float32: {
            "start_values": (indices.START_ROWS, _CHANNELS),
            "old_low": (_CHANNELS,),
            "old_high": (_CHANNELS,),
            "resting_low": (_CHANNELS,),
            "resting_high": (_CHANNELS,),
            "knots": (_CHANNELS, indices.MOST_SECTIONS + 1),
            "inverse": (_CHANNELS, indices.MOST_SECTIONS),
            "hot": (_CHANNELS, indices.HOT_COLUMNS),
            "watch_low": (_CHANNELS,),
            "watch_high": (_CHANNELS,),
            "watch_sums": (indices.WATCH_GROUPS, 3, _CHANNELS),
            "watch_squares": (_CHANNELS,),
            "trial_drive": (_CHANNELS, indices.MOST_SECTIONS),
            "use": (_CHANNELS,),
            "active_values": (_CHANNELS, indices.START_ROWS),
            "overflow_values": (_CHANNELS, 2, indices.OVERFLOW_VALUES),
            "weights": (_POOL, _WIDTH),
            "slow_weights": (_POOL, _WIDTH),
            "bias": (1, _WIDTH),
            "slow_bias": (1, _WIDTH),
            "output_weights": (_OUTPUTS, _WIDTH),
            "slow_output_weights": (_OUTPUTS, _WIDTH),
            "output_bias": (_OUTPUTS,),
            "slow_output_bias": (_OUTPUTS,),
            "list_value": (_SLOTS, _CHANNELS),
            "list_target": (_SLOTS, 1),
            "spiking": (1, indices.SPIKING_COLUMNS),
            "inner_trace": (1,),
            "trace_drive": (1, 1),
            "raised": (1, _WIDTH),
            "lowered": (1, _WIDTH),
            "bucket_drive": (1, _CHANNELS * indices.MOST_SECTIONS),
            "hidden": (_WIDTH,),
            "hidden_blocks": (1, _WIDTH),
            "hidden_delta": (_WIDTH,),
            "hidden_delta_blocks": (1, _WIDTH),
            "scores": (_OUTPUTS,),
            "slow_scores": (_OUTPUTS,),
            "delta": (_OUTPUTS,),
            "settings": (indices.SETTINGS,),
            "outputs": (1, _OUTPUTS),
            "losses": (1,),
        },
        np.float64: {
            "target_mean": (_OUTPUTS,),
            "target_variance": (_OUTPUTS,),
            "scale_mean": (_OUTPUTS,),
            "scale_deviation": (_OUTPUTS,),
            "meters": (indices.METERS,),
            "utility": (_CHANNELS,),
            "watch_targets": (1, 3),
            "shares": (indices.SHARE_LINES, indices.SHARE_COLUMNS),
            "heard": (_WIDTH,),
            "scratch": (indices.SCRATCH_LINES, indices.START_ROWS),
        },
        np.int32: {
            "zero_section": (_CHANNELS,),
            "section_count": (_CHANNELS,),
            "active_count": (_CHANNELS,),
            "overflow_count": (_CHANNELS, 2),
            "reach_first": (_CHANNELS + 1,),
            "reach_block": (_CHANNELS,),
            "home_row": (_CHANNELS,),
            "edge_neurons": (_CHANNELS,),
            "row_table": (indices.MOST_SECTIONS, _CHANNELS),
            "free_rows": (_POOL,),
            "block_neurons": (1,),
            "list_channel": (_SLOTS, _CHANNELS),
            "list_length": (_SLOTS,),
            "list_label": (_SLOTS,),
            "bucket_row": (1, _CHANNELS * indices.MOST_SECTIONS),
            "bucket_length": (1,),
            "inner_first": (2,),
            "inner_source": (1,),
            "inner_length": (1,),
            "trace_row": (1, 1),
            "trace_length": (1,),
            "trace_place": (_POOL,),
            "silent": (1, _WIDTH),
            "others": (_CHANNELS,),
            "predicted": (1,),
        },
        np.int16: {"scan_low_bytes": (_CHANNELS,), "scan_high_bytes": (_CHANNELS,)},
        np.uint8: {
            "row_used": (_POOL,),
            "correct": (1,),
            "phase": (_CHANNELS,),
            "trial": (_CHANNELS,),
            "scan_flags": (8,),
        },
        np.int64: {
            "counters": (indices.COUNTERS,),
            "events": (indices.EVENT_ROWS, indices.EVENT_COLUMNS),
            "tally": (_OUTPUTS,),
        },
        np.uint64: {"random_state": (1,), "scan_words": (1,)},
    }
    arguments: dict[str, Any] = {
        name: np.zeros(shape, dtype)
        for dtype, named in shapes.items()
        for name, shape in named.items()
    }
    arguments.update(
        first=0,
        rows=1,
        begin=0,
        first_slot=1,
        observe=True,
        keep=True,
        classes=True,
        leak=0.0,
        known=1,
        stop=1,
    )
    arguments["random_state"][0] = 1
    arguments["settings"][indices.COMPARE_EVERY] = 1.0
    arguments["settings"][indices.HORIZON] = 1.0
    arguments["reach_first"][:] = np.arange(_CHANNELS + 1)
    arguments["home_row"][:] = -1
    arguments["block_neurons"][0] = _WIDTH
    arguments["edge_neurons"][:] = _WIDTH
    arguments["counters"][indices.KNOWN_OUTPUTS] = 1
    return arguments


def _call(kernel: Callable[..., object], arguments: dict[str, Any], **others: Any) -> None:
    values: dict[str, npt.NDArray[Any] | int | float | bool] = {**arguments, **others}
    kernel(*(values[name] for name in argument_names(kernel)))


def warm_up(processors: int = os.cpu_count() or 1) -> float:
    """Call every kernel once on tiny arrays.

    Args:
        processors: with two of them, a second process compiles a part of what is not cached.

    Returns:
        Seconds spent: about half a second when `is_cached`, else the time to compile them all.
    """
    start = time.perf_counter()
    compiles = hasattr(learn_rows, "signatures") and not is_cached()
    with helper("kyouko.kernels.warmup") if compiles and processors > 1 else nullcontext():
        _warm_up_rows()
    _warm_up_others()
    return time.perf_counter() - start


def _warm_up_rows() -> None:
    """Call what every row passes; to learn and to predict share most of their parts."""
    arguments = _tiny_arguments()
    _call(learn_rows, arguments)
    _call(predict_rows, arguments)
    judged = tuple(arguments[name] for name in argument_names(judge_row)[3:])
    learned = tuple(arguments[name] for name in argument_names(learn_rows)[7:])
    _call(learn_on_trial, arguments, judged=judged, learned=learned)
    warm_up_experts()


def _warm_up_others() -> None:
    """Call what starts and changes a network, and what scans its rows."""
    arguments = _tiny_arguments()
    floats = np.ones((1, _CHANNELS), np.float32)
    low, high = arguments["resting_low"], arguments["resting_high"]
    low_bytes, high_bytes = arguments["scan_low_bytes"], arguments["scan_high_bytes"]
    numbers = {"inputs": floats, "scan_low": low, "scan_high": high}
    pixels = {"inputs": floats.astype(np.uint8), "scan_low": low_bytes, "scan_high": high_bytes}
    _call(note_event, arguments, row=1, kind=1, subject=-1, connections=0)
    _call(start_outputs, arguments, outputs=1, block_width=_WIDTH)
    _call(start_inner_rows, arguments)
    _call(choose_bands, arguments)
    _call(count_non_finite, arguments, inputs=floats)
    _call(scan_float_rows, arguments, **numbers)
    _call(scan_byte_rows, arguments, **pixels)
    _call(sample_float_rows, arguments, inputs=floats)
    _call(sample_byte_rows, arguments, inputs=floats.astype(np.uint8))
    _call(begin_trial, arguments)
    _call(end_trial, arguments)
    _call(are_missed, arguments)
    _call(review_bands, arguments)
    _call(prune_channels, arguments)


def warm_up_dense() -> float:
    """Call the kernels of static networks once; they take a third of the time of all others.

    Apart from `warm_up`, because few processes ever hold such a network: one that does compiles
    them at its first row, unless they are in the cache, as in the image.

    Returns:
        Seconds spent.
    """
    start = time.perf_counter()
    layers = np.zeros((1, dense_indices.LAYER_COLUMNS), np.int64)
    layers[0, : dense_indices.FIRST_NEURON + 1] = _CHANNELS + 1, _OUTPUTS, 0, 0, _CHANNELS + 1
    numbers = np.zeros(_POOL, np.float32)
    arguments: dict[str, Any] = {
        "first": 0,
        "rows": 1,
        "classes": True,
        "limit": 1.0,
        "fault": 1.0,
        "settings": np.zeros(dense_indices.SETTINGS),
        "outputs": np.zeros((1, _OUTPUTS), np.float32),
        "losses": np.zeros(1, np.float32),
        "correct": np.zeros(1, np.uint8),
        "predicted": np.zeros(1, np.int32),
        "scaled": np.zeros((1, _CHANNELS + 1), np.float32),
        "labels": np.zeros(1, np.int32),
        "wanted": np.zeros((1, 1), np.float32),
        "layers": layers,
        "center": np.zeros(_CHANNELS),
        "inverse": np.zeros(_CHANNELS),
        "parameters": numbers,
        "first_moment": numbers,
        "second_moment": numbers,
        "activity": numbers,
        "delta": numbers,
        "counters": np.zeros(dense_indices.COUNTERS, np.int64),
        "meters": np.zeros(dense_indices.METERS),
    }
    _call(scale_dense, arguments, rows=np.zeros((1, _CHANNELS), np.float32))
    _call(learn_dense, arguments)
    _call(predict_dense, arguments)
    return time.perf_counter() - start


if __name__ == "__main__":
    work_as_helper(_warm_up_others)
