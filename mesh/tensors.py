"""Tensors on the wire to and from numpy arrays, checked by arithmetic alone."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from hanami.type.v1 import tensor_pb2

from mesh.errors import InvalidArgument

Array = npt.NDArray[Any]

_DTYPES: dict["tensor_pb2.DataType.ValueType", np.dtype[Any]] = {
    tensor_pb2.DATA_TYPE_UINT8: np.dtype("<u1"),
    tensor_pb2.DATA_TYPE_INT16: np.dtype("<i2"),
    tensor_pb2.DATA_TYPE_INT32: np.dtype("<i4"),
    tensor_pb2.DATA_TYPE_INT64: np.dtype("<i8"),
    tensor_pb2.DATA_TYPE_FLOAT32: np.dtype("<f4"),
    tensor_pb2.DATA_TYPE_FLOAT64: np.dtype("<f8"),
}
_DATA_TYPES = {dtype: number for number, dtype in _DTYPES.items()}


def array_of(tensor: tensor_pb2.Tensor, *, field: str) -> Array:
    """Return a tensor as an array; packed elements are not copied and read-only.

    Args:
        tensor: The tensor.
        field: What to call it in an error.

    Raises:
        InvalidArgument: TENSOR_INVALID, when elements, shape and type do not fit.
    """
    dtype = _DTYPES.get(tensor.data_type)
    if dtype is None:
        raise _invalid(f"{field}.data_type", "is not set or unknown", 0, tensor.data_type)
    shape = tuple(tensor.shape)
    if any(length < 0 for length in shape) or len(shape) > 8:
        raise _invalid(f"{field}.shape", f"{list(shape)} is no shape", 0, len(shape))
    count = math.prod(shape)
    if tensor.WhichOneof("elements") == "values":
        return _from_values(tensor, dtype, shape, count, field)
    if len(tensor.packed) != count * dtype.itemsize:
        raise _invalid(
            field,
            f"shape {list(shape)} of {dtype.name} takes {count * dtype.itemsize} bytes, "
            f"but {len(tensor.packed)} came",
            count * dtype.itemsize,
            len(tensor.packed),
        )
    return _reshaped(np.frombuffer(tensor.packed, dtype=dtype), shape, field)


def tensor_of(array: Array) -> tensor_pb2.Tensor:
    """Return an array as a packed tensor.

    Raises:
        KeyError: The dtype has no counterpart on the wire.
    """
    little = array.dtype.newbyteorder("<")
    return tensor_pb2.Tensor(
        data_type=_DATA_TYPES[little],
        shape=array.shape,
        packed=np.ascontiguousarray(array, dtype=little).tobytes(),
    )


def _from_values(
    tensor: tensor_pb2.Tensor,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    count: int,
    field: str,
) -> Array:
    came = len(tensor.values.values)
    if came != count:
        raise _invalid(
            field, f"shape {list(shape)} takes {count} values, but {came} came", count, came
        )
    values = np.array(tensor.values.values, dtype=np.float64)
    if dtype.kind in "iu" and not np.all(_fits(values, dtype)):
        raise _invalid(field, f"holds values that are no {dtype.name} numbers", count, len(values))
    with np.errstate(over="ignore"):  # What float32 cannot hold becomes infinite.
        return _reshaped(values.astype(dtype), shape, field)


def _fits(values: Array, dtype: np.dtype[Any]) -> Array:
    limits = np.iinfo(dtype)
    # The limit above is a power of two: unlike the greatest int64 it is a float64.
    in_range = (values >= float(limits.min)) & (values < float(int(limits.max) + 1))
    fits: Array = in_range & (np.floor(values) == values)
    return fits


def _reshaped(array: Array, shape: tuple[int, ...], field: str) -> Array:
    try:
        return array.reshape(shape)
    except ValueError as error:  # Without elements, but with lengths that numpy refuses.
        raise _invalid(f"{field}.shape", f"{list(shape)} is no shape", 0, len(shape)) from error


def _invalid(field: str, problem: str, expected: int, actual: int) -> InvalidArgument:
    return InvalidArgument.for_field(
        field,
        problem,
        reason="TENSOR_INVALID",
        metadata={"expected": str(expected), "actual": str(actual)},
    )
