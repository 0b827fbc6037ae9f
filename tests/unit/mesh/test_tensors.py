"""Tensors on the wire."""

import numpy as np
import pytest
from hanami.type.v1 import tensor_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mesh import tensors
from mesh.errors import InvalidArgument

DTYPES = ["uint8", "int16", "int32", "int64", "float32", "float64"]
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0))
)
NUMBERS = {dtype: pb.DataType.Value(f"DATA_TYPE_{dtype.upper()}") for dtype in DTYPES}


@given(array=ARRAYS)
def test_arrays_come_back(array: np.ndarray) -> None:
    """Type, shape and every bit survive the way there and back."""
    tensor = pb.Tensor.FromString(tensors.tensor_of(array).SerializeToString())

    back = tensors.array_of(tensor, field="x")

    assert (array.dtype, array.shape) == (back.dtype, back.shape)
    assert array.tobytes() == back.tobytes()


@given(array=ARRAYS)
def test_byte_order_and_layout_do_not_matter(array: np.ndarray) -> None:
    """A big-endian or transposed array arrives with the same values."""
    other = array.astype(array.dtype.newbyteorder(">")).T

    back = tensors.array_of(tensors.tensor_of(other), field="x")

    np.testing.assert_array_equal(array.T, back)


@given(array=ARRAYS, change=st.sampled_from([-1, 1]))
def test_wrong_number_of_bytes_is_refused(array: np.ndarray, change: int) -> None:
    """A byte more or less than the shape says is TENSOR_INVALID, with both numbers."""
    tensor = tensors.tensor_of(array)
    if change < 0 and not tensor.packed:
        return
    tensor.packed = tensor.packed[:-1] if change < 0 else tensor.packed + b"x"

    with pytest.raises(InvalidArgument) as caught:
        tensors.array_of(tensor, field="frame.inputs")

    assert "TENSOR_INVALID" == caught.value.reason
    assert {
        "field": "frame.inputs",
        "expected": str(array.nbytes),
        "actual": str(array.nbytes + change),
    } == caught.value.metadata


@given(
    data_type=st.integers(0, 9),
    shape=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3), max_size=10),
    packed=st.binary(max_size=16),
)
def test_no_packed_tensor_leads_to_another_error(
    data_type: "pb.DataType.ValueType", shape: list[int], packed: bytes
) -> None:
    """Whatever comes becomes an array of that shape or TENSOR_INVALID, at once."""
    tensor = pb.Tensor(data_type=data_type, shape=shape, packed=packed)

    array = _array_or_none(tensor)

    assert array is None or tuple(shape) == array.shape


@given(
    data_type=st.sampled_from(sorted(NUMBERS.values())),
    values=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=8),
)
def test_values_are_exact_or_refused(
    data_type: "pb.DataType.ValueType", values: list[float]
) -> None:
    """Integers arrive exactly or not at all; floats are rounded to their type."""
    tensor = pb.Tensor(
        data_type=data_type, shape=[len(values)], values=pb.NumberList(values=values)
    )

    array = _array_or_none(tensor)

    if array is None:
        assert data_type not in (NUMBERS["float32"], NUMBERS["float64"])
    elif array.dtype.kind in "iu":
        assert [int(value) for value in values] == array.tolist()
    else:
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(np.array(values).astype(array.dtype), array)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("uint8", 256.0),
        ("uint8", -1.0),
        ("int16", 0.5),
        ("int32", float("nan")),
        ("int32", float("inf")),
        ("int64", 2.0**63),
    ],
)
def test_value_that_does_not_fit_is_refused(dtype: str, value: float) -> None:
    """A value out of range or between two integers is TENSOR_INVALID."""
    tensor = pb.Tensor(data_type=NUMBERS[dtype], shape=[1], values=pb.NumberList(values=[value]))

    with pytest.raises(InvalidArgument) as caught:
        tensors.array_of(tensor, field="x")

    assert "TENSOR_INVALID" == caught.value.reason


def test_number_of_values_has_to_fit() -> None:
    """Three values are no two by two."""
    tensor = pb.Tensor(
        data_type=pb.DATA_TYPE_FLOAT32, shape=[2, 2], values=pb.NumberList(values=[1, 2, 3])
    )

    with pytest.raises(InvalidArgument) as caught:
        tensors.array_of(tensor, field="x")

    assert ("4", "3") == (caught.value.metadata["expected"], caught.value.metadata["actual"])


def test_packed_elements_are_not_copied() -> None:
    """An array out of packed bytes is a view, and cannot be written to."""
    tensor = tensors.tensor_of(np.arange(4, dtype=np.float32))

    array = tensors.array_of(tensor, field="x")

    assert not array.flags.owndata
    assert not array.flags.writeable


def _array_or_none(tensor: pb.Tensor) -> "np.ndarray | None":
    """Return the array, or None when it is refused; any other error is the test's."""
    try:
        return tensors.array_of(tensor, field="x")
    except InvalidArgument:
        return None
