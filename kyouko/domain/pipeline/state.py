"""A pipeline's state as it goes into a snapshot, and the checks of one that comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.errors import EngineStateError

__all__ = ["FORMAT", "PipelineState", "array_in", "count_in", "time_in"]

FORMAT: Final = 1


@dataclass(frozen=True)
class PipelineState:
    """A pipeline as named arrays and a header that JSON can hold.

    Attributes:
        arrays: copies; safe to keep while the network learns on.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    header: Mapping[str, Any]


def array_in(
    state: PipelineState, name: str, shape: tuple[int, ...], kind: type
) -> npt.NDArray[Any]:
    """Return a copy of an array.

    Raises:
        EngineStateError: It is missing, or of another shape or type.
    """
    found = state.arrays.get(name)
    if found is None or found.shape != shape or found.dtype != np.dtype(kind):
        raise EngineStateError(f"array pipeline/{name} is not {kind.__name__} of shape {shape}")
    return np.array(found)


def count_in(state: PipelineState, name: str, *, most: int = 2**63 - 1) -> int:
    """Return a number from 0 to `most`.

    Raises:
        EngineStateError: It is missing or outside.
    """
    value = state.header.get(name)
    if not isinstance(value, int) or not 0 <= value <= most:
        raise EngineStateError(f"pipeline.{name} is {value!r}, not a number from 0 to {most}")
    return value


def time_in(state: PipelineState, name: str) -> int:
    """Return a time in nanoseconds.

    Raises:
        EngineStateError: It is missing or beyond int64.
    """
    value = state.header.get(name)
    if not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise EngineStateError(f"pipeline.{name} is {value!r}, not a time")
    return value
