"""Between numpy arrays and the contracts' tensors: one copy, never per element."""

from __future__ import annotations

import math

import numpy as np
from hanami.type.v1 import tensor_pb2
from numpy.typing import ArrayLike, NDArray

from hanami_sdk.errors import InvalidArgument

# By numpy's short names; `dtype.name` would take longer than packing a frame.
_TYPES: dict[str, tensor_pb2.DataType.ValueType] = {
    "|u1": tensor_pb2.DATA_TYPE_UINT8,
    "<i2": tensor_pb2.DATA_TYPE_INT16,
    "<i4": tensor_pb2.DATA_TYPE_INT32,
    "<i8": tensor_pb2.DATA_TYPE_INT64,
    "<f4": tensor_pb2.DATA_TYPE_FLOAT32,
    "<f8": tensor_pb2.DATA_TYPE_FLOAT64,
}
_DTYPES = {number: np.dtype(code) for code, number in _TYPES.items()}


def encode(array: NDArray[np.generic]) -> tensor_pb2.Tensor:
    """Pack an array; its type has to be one that tensors know."""
    data_type = _TYPES.get(array.dtype.str)
    if data_type is None:
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        if little.dtype.str not in _TYPES:
            names = ", ".join(dtype.name for dtype in _DTYPES.values())
            raise InvalidArgument(
                f"Arrays of {array.dtype} cannot be sent; use one of {names}.",
                reason="TENSOR_INVALID",
            )
        return encode(little)
    return tensor_pb2.Tensor(data_type=data_type, shape=array.shape, packed=array.tobytes())


def decode(tensor: tensor_pb2.Tensor) -> NDArray[np.generic]:
    """Return the tensor's elements; read-only where they are packed.

    Raises:
        InvalidArgument: bytes, shape and type do not fit (TENSOR_INVALID).
    """
    dtype = _DTYPES.get(tensor.data_type)
    if dtype is None:
        raise InvalidArgument("The tensor has no known type.", reason="TENSOR_INVALID")
    shape = tuple(tensor.shape)
    if tensor.WhichOneof("elements") == "values":
        flat: NDArray[np.generic] = np.array(tensor.values.values).astype(dtype)
    elif len(tensor.packed) % dtype.itemsize == 0:
        flat = np.frombuffer(tensor.packed, dtype)
    else:
        flat = np.empty(0, dtype)
    if flat.size != math.prod(shape) or len(tensor.packed) not in (0, flat.nbytes):
        raise InvalidArgument(
            f"A tensor of shape {list(shape)} and {dtype.name} does not hold "
            f"{len(tensor.packed)} bytes.",
            reason="TENSOR_INVALID",
        )
    return flat.reshape(shape)


def as_rows(values: ArrayLike) -> NDArray[np.generic]:
    """Return inputs as a two-dimensional array of uint8 or float32.

    One-dimensional input is one row; more than two dimensions are flattened
    per row, so a batch of pictures can be given as it is.
    """
    array = np.asarray(values)
    if array.ndim == 0:
        raise InvalidArgument(
            "Inputs are rows of numbers, not one number.", reason="TENSOR_INVALID"
        )
    rows = array[np.newaxis] if array.ndim == 1 else _as_matrix(array)
    if rows.dtype == np.uint8:
        return rows
    if rows.dtype == np.bool_:
        return rows.astype(np.uint8)
    return _as_float32(rows, "Inputs")


def as_targets(values: ArrayLike, rows: int) -> NDArray[np.float32]:
    """Return numbers to learn as float32 of shape [rows, outputs]."""
    array = np.atleast_1d(np.asarray(values))
    if rows == 1 and array.shape[0] != 1:
        array = array[np.newaxis]
    if array.shape[0] != rows:
        raise InvalidArgument(
            f"There are {rows} rows, but targets of shape {list(array.shape)}.",
            reason="TARGET_INVALID",
        )
    return _as_float32(_as_matrix(array), "Targets")


def _as_matrix(array: NDArray[np.generic]) -> NDArray[np.generic]:
    # Not reshape(rows, -1): that fails on arrays without rows.
    return array.reshape(array.shape[0], math.prod(array.shape[1:]))


def _as_float32(array: NDArray[np.generic], what: str) -> NDArray[np.float32]:
    if array.dtype.kind not in "iufb":
        raise InvalidArgument(
            f"{what} have to be numbers, not {array.dtype}.", reason="TENSOR_INVALID"
        )
    # A double beyond float32's range becomes infinite here, as it would in the
    # network; numpy need not warn about it.
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)
