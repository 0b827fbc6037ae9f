"""Between numpy and the wire."""

import numpy as np
import pytest
from hanami.type.v1 import tensor_pb2
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from hanami_sdk.errors import InvalidArgument
from hanami_sdk.tensors import as_rows, as_targets, decode, encode

DTYPES = [np.uint8, np.int16, np.int32, np.int64, np.float32, np.float64]
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0))
)


@given(ARRAYS)
def test_arrays_survive_the_wire(array: NDArray[np.generic]) -> None:
    """Type, shape and every bit come back."""
    returned = decode(tensor_pb2.Tensor.FromString(encode(array).SerializeToString()))

    assert returned.dtype == array.dtype
    assert returned.shape == array.shape
    assert returned.tobytes() == array.tobytes()


def test_big_endian_numbers_are_turned_round() -> None:
    """The wire is little-endian whatever the file was."""
    returned = decode(encode(np.array([1, 2], dtype=">i4")))

    assert returned.tolist() == [1, 2]


def test_a_strided_view_is_packed_row_by_row() -> None:
    """A column slice need not be copied by the caller."""
    view = np.arange(6, dtype=np.uint8).reshape(2, 3)[:, ::2]

    assert decode(encode(view)).tolist() == [[0, 2], [3, 5]]


def test_values_written_one_by_one_are_read() -> None:
    """The form for people is understood, though never sent."""
    tensor = tensor_pb2.Tensor(data_type=tensor_pb2.DATA_TYPE_INT32, shape=[2])
    tensor.values.values.extend([3, 4])

    assert decode(tensor).tolist() == [3, 4]


@pytest.mark.parametrize("packed", [b"", b"\x00" * 7, b"\x00" * 16])
def test_bytes_that_do_not_fit_the_shape_are_refused(packed: bytes) -> None:
    """A damaged tensor is an error, not a shorter array."""
    tensor = tensor_pb2.Tensor(data_type=tensor_pb2.DATA_TYPE_FLOAT32, shape=[2], packed=packed)

    with pytest.raises(InvalidArgument, match="does not hold"):
        decode(tensor)


def test_types_that_the_contract_does_not_know_are_refused() -> None:
    """Complex numbers have no tensor type."""
    with pytest.raises(InvalidArgument, match="complex128"):
        encode(np.zeros(2, dtype=np.complex128))


def test_inputs_keep_bytes_and_turn_the_rest_into_floats() -> None:
    """Raw pixels go as they are, all other numbers as float32."""
    assert as_rows(np.zeros((2, 4), np.uint8)).dtype == np.uint8
    assert as_rows([[1, 2], [3, 4]]).dtype == np.float32
    assert as_rows(np.zeros((2, 4), np.bool_)).dtype == np.uint8


def test_one_row_and_pictures_become_rows() -> None:
    """A vector is one row; further dimensions are flattened."""
    assert as_rows([1.0, 2.0, 3.0]).shape == (1, 3)
    assert as_rows(np.zeros((5, 28, 28), np.uint8)).shape == (5, 784)


def test_text_is_no_input() -> None:
    """Strings are refused before anything is sent."""
    with pytest.raises(InvalidArgument, match="have to be numbers"):
        as_rows([["a", "b"]])


def test_targets_have_one_line_for_each_row() -> None:
    """One output may be given as a vector, several as a matrix."""
    assert as_targets([1.0, 2.0], rows=2).shape == (2, 1)
    assert as_targets([[1.0, 2.0]], rows=1).shape == (1, 2)
    assert as_targets([1.0, 2.0, 3.0], rows=1).shape == (1, 3)
    with pytest.raises(InvalidArgument, match="2 rows"):
        as_targets([1.0, 2.0, 3.0], rows=2)
