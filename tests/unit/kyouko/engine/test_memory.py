"""The one piece of memory that holds a network's arrays."""

import itertools

import numpy as np

from kyouko.domain.engine.memory import Shapes, allocate, count_bytes, count_gaps

SHAPES: Shapes = {
    "small": ((3,), np.float32),
    "none": ((0, 7), np.int32),
    "large": ((100, 9), np.float64),
    "bytes": ((5,), np.uint8),
}


def places(arrays: dict[str, np.ndarray]) -> list[int]:
    """Return where each array begins that holds anything."""
    return [array.ctypes.data for array in arrays.values() if array.size]


def test_arrays_are_zeros_of_their_shapes() -> None:
    """Each has its shape and dtype, is contiguous and can be written."""
    arrays = allocate(SHAPES)

    for name, (shape, dtype) in SHAPES.items():
        array = arrays[name]
        assert (shape, np.dtype(dtype)) == (array.shape, array.dtype)
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert not array.any()


def test_distances_are_always_the_same() -> None:
    """Two networks of one structure have their arrays equally far apart, on cache lines."""
    one, other = places(allocate(SHAPES)), places(allocate(SHAPES))

    assert [place - one[0] for place in one] == [place - other[0] for place in other]
    assert all(place % 64 == 0 for place in one)
    assert all(later - earlier >= 256 for earlier, later in itertools.pairwise(one))


def test_no_array_reaches_into_the_next() -> None:
    """What is written to one stays out of the others."""
    arrays = allocate(SHAPES)

    for number, array in enumerate(arrays.values(), 1):
        array[...] = number

    for number, array in enumerate(arrays.values(), 1):
        assert (array == number).all()


def test_the_count_covers_the_whole_piece() -> None:
    """Arrays and gaps together are what is asked of the system."""
    arrays = allocate(SHAPES)

    assert 4 * 3 + 8 * 900 + 5 == count_bytes(SHAPES)
    owner = arrays["small"]
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    assert owner.nbytes <= count_bytes(SHAPES) + count_gaps(SHAPES)
