"""Checks of the arrays that every kind of network takes; nothing is learned from wrong ones."""

from typing import Any

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.errors import EngineInputError

__all__ = ["check_inputs", "check_targets"]

Array = npt.NDArray[Any]

_INPUT_DTYPES = (np.dtype(np.uint8), np.dtype(np.float32))


def check_inputs(inputs: Array, channels: int) -> int:
    """Check that the rows fit, and count them.

    Args:
        inputs: uint8 or float32, shape (rows, channels), any scale; NaN means missing.
        channels: width of the network's rows.

    Raises:
        EngineInputError: if the array does not fit.
    """
    if not isinstance(inputs, np.ndarray) or inputs.ndim != 2:
        found = f"{np.ndim(inputs)} dimensions"
        raise EngineInputError("inputs", found, f"shape (rows, {channels})")
    if inputs.shape[1] != channels:
        found = f"rows of {inputs.shape[1]} channels"
        raise EngineInputError("inputs", found, f"shape (rows, {channels})")
    if inputs.dtype not in _INPUT_DTYPES:
        raise EngineInputError("inputs", f"dtype {inputs.dtype}", "uint8 or float32")
    return len(inputs)


def check_targets(targets: Array, rows: int, *, classes: bool, known: int, most: int) -> int:
    """Check the targets and return the outputs known after learning them.

    Args:
        targets: int32, shape (rows,), class labels from 0; or float32, shape (rows, known).
        rows: length of the inputs that belong to them.
        classes: True for class labels, False for numbers.
        known: outputs known before.
        most: classes that may be known.

    Raises:
        EngineInputError: if the array does not fit.
    """
    if not isinstance(targets, np.ndarray):
        raise EngineInputError("targets", type(targets).__name__, "a numpy array")
    shape: tuple[int, ...] = (rows,) if classes else (rows, known)
    dtype = np.dtype(np.int32 if classes else np.float32)
    if targets.shape != shape:
        raise EngineInputError("targets", f"shape {targets.shape}", f"shape {shape}")
    if targets.dtype != dtype:
        raise EngineInputError("targets", f"dtype {targets.dtype}", str(dtype))
    if rows == 0:
        return known
    if not classes:
        if not np.isfinite(targets).all():
            raise EngineInputError("targets", "NaN or infinite values", "finite numbers")
        return known
    lowest, highest = int(targets.min()), int(targets.max())
    if lowest < 0 or highest >= most:
        found = f"label {lowest if lowest < 0 else highest}"
        raise EngineInputError("targets", found, f"0 to {most - 1}")
    return max(known, highest + 1)
