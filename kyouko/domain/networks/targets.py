"""The targets that rows came with: of the right kind, as many as the rows, and finite."""

import numpy as np
import numpy.typing as npt

from kyouko.domain.networks.rows import Labels, Numbers, Rows, width_mismatch, wrong_count
from mesh.errors import InvalidArgument

__all__ = ["label_values", "numbers_in", "wrong_kind"]

Float32 = npt.NDArray[np.float32]


def label_values(rows: Rows) -> list[str] | list[int]:
    """Return the labels of rows.

    Raises:
        InvalidArgument: TARGET_INVALID.
    """
    if not isinstance(rows.target, Labels):
        raise wrong_kind(f"{rows.place}targets", "numbers came, but the network tells labels apart")
    if len(rows.target.values) != len(rows.inputs):
        raise wrong_count(f"{rows.place}labels", len(rows.target.values), len(rows.inputs))
    return rows.target.values


def numbers_in(rows: Rows, outputs: int) -> Float32:
    """Return the target numbers of rows, shape (rows, outputs).

    Raises:
        InvalidArgument: TARGET_INVALID or WIDTH_MISMATCH.
    """
    if not isinstance(rows.target, Numbers):
        raise wrong_kind(f"{rows.place}labels", "labels came, but the network learns numbers")
    field = f"{rows.place}targets"
    values = rows.target.values
    if values.ndim == 1 and outputs == 1:
        values = values[:, np.newaxis]
    if values.ndim != 2 or values.shape[1] != outputs:
        raise width_mismatch(field, outputs, int(values.shape[1]) if values.ndim == 2 else 1)
    if len(values) != len(rows.inputs):
        raise wrong_count(field, len(values), len(rows.inputs))
    with np.errstate(over="ignore"):
        numbers: Float32 = values.astype(np.float32, copy=False)
    finite = np.isfinite(numbers).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise InvalidArgument.for_field(
            field,
            f"row {row} holds {numbers[row].tolist()}; targets have to be finite",
            reason="TARGET_INVALID",
            metadata={"row": str(row)},
        )
    return numbers


def wrong_kind(field: str, problem: str) -> InvalidArgument:
    """Return the error of targets that this network cannot use."""
    return InvalidArgument.for_field(field, problem, reason="TARGET_INVALID")
