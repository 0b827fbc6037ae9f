"""The one piece of memory that holds a network's arrays, and the least limit that holds it."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from kyouko.domain.engine import (
    EngineMemoryError,
    EngineOptions,
    NetworkKind,
    NetworkStructure,
    Organisation,
    TaskKind,
    create_engine,
)
from kyouko.domain.engine.memory import Shapes, allocate, count_bytes, count_gaps
from tests.reference.structures import flat

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


def tiny(structure: NetworkStructure) -> NetworkStructure:
    """The structure with a limit that holds nothing."""
    return within(structure, 1000)


def within(structure: NetworkStructure, limit: int) -> NetworkStructure:
    """The structure with another memory limit."""
    options = replace(structure.options, memory_limit_bytes=limit)
    return replace(structure, options=options)


def delayed(structure: NetworkStructure) -> NetworkStructure:
    """The structure with delays on its first channels."""
    first, *others = structure.inputs
    return replace(structure, inputs=(replace(first, delays=(1, 2, 5, 300)), *others))


NUMBERS = flat(3, 8, kind=TaskKind.NUMBERS, size=2)
MANY_CLASSES = EngineOptions(max_outputs=5000)
STATIC = replace(flat(30), kind=NetworkKind.STATIC)


@pytest.mark.parametrize(
    "structure",
    [
        flat(200),
        flat(3, 8),
        flat(90, 256),
        NUMBERS,
        flat(3, 8, options=MANY_CLASSES),
        flat(200, options=EngineOptions(experts=True)),
        flat(90, 256, options=EngineOptions(experts=True)),
        flat(3, 8, options=replace(MANY_CLASSES, experts=True)),
        flat(3, 8, options=EngineOptions(experts=False, rehearsal_rows=5000)),
        replace(flat(200), organisation=Organisation()),
        replace(flat(90), organisation=Organisation(at_row=5000)),
        delayed(flat(200)),
        delayed(NUMBERS),
        delayed(flat(90, options=EngineOptions(experts=True))),
        delayed(replace(flat(40), organisation=Organisation())),
        STATIC,
        delayed(STATIC),
    ],
)
def test_the_limit_that_a_refusal_names_is_the_least_that_works(
    structure: NetworkStructure,
) -> None:
    """A network can be made with exactly the bytes that were asked for, and not with one less."""
    with pytest.raises(EngineMemoryError) as refused:
        create_engine(tiny(structure))

    needed = refused.value.needed_bytes
    assert f"at least {needed} bytes" in str(refused.value)
    assert needed == create_engine(within(structure, needed)).statistics().memory_limit_bytes
    with pytest.raises(EngineMemoryError) as again:
        create_engine(within(structure, needed - 1))
    assert needed == again.value.needed_bytes
    assert f"{needed - 1} bytes do not hold" in str(again.value)
