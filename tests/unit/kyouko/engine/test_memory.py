"""The one piece of memory that holds a network's arrays, and the least limit that holds it."""

import gc
import itertools
from dataclasses import replace

import numpy as np
import psutil
import pytest

from kyouko.domain.engine import (
    Arrival,
    EngineMemoryError,
    EngineOptions,
    NetworkKind,
    NetworkStructure,
    Organisation,
    TaskKind,
    create_engine,
)
from kyouko.domain.engine.memory import Shapes, allocate, count_bytes, count_gaps
from kyouko.domain.template import resolve
from kyouko.templates import shipped_templates
from tests.reference.structures import flat

_MEGABYTE = 2**20
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


def test_what_was_never_written_costs_nothing() -> None:
    """Of a large piece only the pages that hold something are in memory, also the second time."""
    sparse: Shapes = {"first": ((8 * _MEGABYTE,), np.uint8), "second": ((8 * _MEGABYTE,), np.uint8)}
    process = psutil.Process()
    grown = []

    for _ in range(3):
        before = process.memory_info().rss
        arrays = allocate(sparse)
        for array in arrays.values():
            array[0] = array[-1] = 1
        grown.append(process.memory_info().rss - before)
        del arrays, array

    # Three places are written; pages may be huge ones of two megabytes.
    assert max(grown) <= 6 * _MEGABYTE + 4096


def test_memory_goes_back_with_the_last_array() -> None:
    """A view keeps the piece; without any the system has it back at once."""
    process = psutil.Process()
    before = process.memory_info().rss

    arrays = allocate({"one": ((8 * _MEGABYTE,), np.uint8), "other": ((9,), np.uint8)})
    arrays["one"][:] = 1
    view = arrays["other"][2:4]
    del arrays
    held = process.memory_info().rss - before
    del view
    left = process.memory_info().rss - before

    assert held >= 8 * _MEGABYTE
    assert left < _MEGABYTE


@pytest.mark.parametrize(
    ("structure", "row_count"),
    [
        (flat(784, 128), 256),
        (resolve(shipped_templates()["flat"].template, channels=784), 256),
        (replace(flat(784, 2048), kind=NetworkKind.STATIC), 16),
    ],
)
def test_networks_take_no_more_memory_than_they_tell(
    structure: NetworkStructure, row_count: int
) -> None:
    """What they tell is what bounds those in memory. Hardly any stays when they are gone."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(row_count, 784)).astype(np.float32)
    labels = random.integers(0, 10, row_count).astype(np.int32)
    # The kernels are loaded, and the heap has had such networks before.
    create_engine(structure).learn(rows, labels, arrival=Arrival.STREAMED)
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss

    engines = [create_engine(structure) for _ in range(12)]
    for engine in engines:
        engine.learn(rows, labels, arrival=Arrival.STREAMED)
    resident = process.memory_info().rss - before
    told = sum(engine.statistics().memory_bytes for engine in engines)
    del engines, engine
    gc.collect()
    left = process.memory_info().rss - before

    assert told / 2 < resident <= 1.1 * told
    assert left < told / 4


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
