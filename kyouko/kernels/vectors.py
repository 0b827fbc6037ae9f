"""The three inner loops over weight rows, written as vector instructions.

A loop in Python tests at run time whether its arrays overlap and whether its length suits the
registers. Rows of 32 weights are done before these tests are: so the loops that take most of the
time are emitted as they should be, eight to sixteen weights an instruction. What each of them does
is said by the plain function; that one runs where numba is disabled.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from kyouko.kernels.compile import Arguments, vector_part

__all__ = ["approach_rows", "subtract_from_rows", "sum_rows"]

_FLOAT = ir.FloatType()
_INDEX = ir.IntType(64)
_FLAGS = ("contract", "reassoc", "nsz")

# Lanes of an instruction, instructions a pass, sums kept apart so that they need not wait for one
# another. Block widths are multiples of 8.
_WIDE = (16, 8, 1)
_MIDDLE = (16, 2, 4)
_NARROW = (8, 1, 4)


def _lanes(count: int) -> Any:
    return ir.VectorType(_FLOAT, count)


def _at(builder: Any, pointer: Any, place: Any, lanes: int) -> Any:
    """Return a pointer to `lanes` floats that need not be aligned."""
    return builder.bitcast(builder.gep(pointer, [place]), _lanes(lanes).as_pointer())


def _load(builder: Any, pointer: Any, place: Any, lanes: int) -> Any:
    return builder.load(_at(builder, pointer, place, lanes), align=4)


def _store(builder: Any, value: Any, pointer: Any, place: Any, lanes: int) -> None:
    builder.store(value, _at(builder, pointer, place, lanes), align=4)


def _spread(builder: Any, value: Any, lanes: int) -> Any:
    """Return a vector with the same value in every lane."""
    kind = _lanes(lanes)
    empty = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(empty, value, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(first, empty, zeros)


def _add_product(builder: Any, total: Any, factor: Any, other: Any) -> Any:
    return builder.fadd(builder.fmul(factor, other, flags=_FLAGS), total, flags=_FLAGS)


@contextmanager
def _loop(builder: Any, start: Any, stop: Any, step: int) -> Iterator[Any]:
    code: Any = cgutils
    with code.for_range_slice(builder, start, stop, _INDEX(step), _INDEX) as (place, _):
        yield place


def _pass_over(
    builder: Any, start: Any, stop: Any, body: Callable[[Any, tuple[int, int, int]], None]
) -> None:
    """Emit `body` for the places from `start` to `stop`, in the widest passes that still fit."""
    for shape in (_WIDE, _MIDDLE, _NARROW):
        span = _INDEX(shape[0] * shape[1])
        fitting = builder.sub(stop, start)
        end = builder.add(start, builder.sub(fitting, builder.srem(fitting, span)))
        with _loop(builder, start, end, span.constant) as place:
            body(place, shape)
        start = end


def _row_and_drive(builder: Any, rows: Any, drives: Any, item: Any, width: Any) -> tuple[Any, Any]:
    """Return where the weights of a bucket's item begin, and its drive."""
    row = builder.zext(builder.load(builder.gep(rows, [item])), _INDEX)
    return builder.mul(row, width), builder.load(builder.gep(drives, [item]))


def _bucket(builder: Any, arguments: Arguments) -> tuple[Any, Any]:
    """Return pointers to the rows and the drives of the block's bucket."""
    places = arguments.extent("bucket_row", 1)
    start = [builder.mul(arguments["block"], places)]
    rows, drives = arguments.data("bucket_row"), arguments.data("bucket_drive")
    return builder.gep(rows, start), builder.gep(drives, start)


def _emit_sum(builder: Any, arguments: Arguments) -> None:
    width, count = arguments.extent("bias", 1), arguments["count"]
    rows, drives = _bucket(builder, arguments)
    weights, bias = arguments.data("weights"), arguments.data("bias")
    block_start = builder.mul(arguments["block"], width)

    def sum_up(place: Any, shape: tuple[int, int, int]) -> None:
        lanes, vectors, apart = shape
        here = builder.add(block_start, place)
        with builder.goto_entry_block():
            sums = [builder.alloca(_lanes(lanes)) for _ in range(vectors * apart)]
        for number, total in enumerate(sums):
            offset = builder.add(here, _INDEX(number * lanes))
            zero = ir.Constant(_lanes(lanes), [0.0] * lanes)
            builder.store(_load(builder, bias, offset, lanes) if number < vectors else zero, total)

        def add_item(item: Any, turn: int) -> None:
            row, drive = _row_and_drive(builder, rows, drives, item, width)
            spread = _spread(builder, drive, lanes)
            for vector in range(vectors):
                offset = builder.add(builder.add(row, place), _INDEX(vector * lanes))
                total = sums[turn * vectors + vector]
                part = _load(builder, weights, offset, lanes)
                builder.store(_add_product(builder, builder.load(total), part, spread), total)

        whole = builder.sub(count, builder.srem(count, _INDEX(apart)))
        with _loop(builder, _INDEX(0), whole, apart) as item:
            for turn in range(apart):
                add_item(builder.add(item, _INDEX(turn)), turn)
        if apart > 1:
            with _loop(builder, whole, count, 1) as item:
                add_item(item, 0)
        for vector in range(vectors):
            total = builder.load(sums[vector])
            for turn in range(1, apart):
                other = builder.load(sums[turn * vectors + vector])
                total = builder.fadd(total, other, flags=_FLAGS)
            offset = builder.add(here, _INDEX(vector * lanes))
            _store(builder, total, arguments.data("hidden_blocks"), offset, lanes)

    _pass_over(builder, _INDEX(0), width, sum_up)


@vector_part(_emit_sum)
def sum_rows(
    block: int,
    count: int,
    weights: np.ndarray,
    bias: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    hidden_blocks: np.ndarray,
) -> None:
    """Set a block's potentials to its bias plus its driven weight rows times their drives."""
    hidden_blocks[block] = bias[block]
    for item in range(count):
        hidden_blocks[block] += bucket_drive[block, item] * weights[bucket_row[block, item]]


def _emit_subtract(builder: Any, arguments: Arguments) -> None:
    width = arguments.extent("change_blocks", 1)
    rows, drives = _bucket(builder, arguments)
    weights, changes = arguments.data("weights"), arguments.data("change_blocks")
    block_start = builder.mul(arguments["block"], width)

    def subtract(place: Any, shape: tuple[int, int, int]) -> None:
        lanes, vectors, _ = shape
        here = builder.add(block_start, place)
        parts = [
            _load(builder, changes, builder.add(here, _INDEX(vector * lanes)), lanes)
            for vector in range(vectors)
        ]
        with _loop(builder, _INDEX(0), arguments["count"], 1) as item:
            row, drive = _row_and_drive(builder, rows, drives, item, width)
            spread = _spread(builder, builder.fneg(drive), lanes)
            for vector, part in enumerate(parts):
                offset = builder.add(builder.add(row, place), _INDEX(vector * lanes))
                old = _load(builder, weights, offset, lanes)
                _store(builder, _add_product(builder, old, part, spread), weights, offset, lanes)

    _pass_over(builder, _INDEX(0), width, subtract)


@vector_part(_emit_subtract)
def subtract_from_rows(
    block: int,
    count: int,
    weights: np.ndarray,
    bucket_row: np.ndarray,
    bucket_drive: np.ndarray,
    change_blocks: np.ndarray,
) -> None:
    """Subtract a block's change times the drive from each of its driven weight rows."""
    for item in range(count):
        weights[bucket_row[block, item]] -= bucket_drive[block, item] * change_blocks[block]


def _emit_approach(builder: Any, arguments: Arguments) -> None:
    width = arguments.extent("weights", 1)
    weights, slow = arguments.data("weights"), arguments.data("slow_weights")

    def approach(place: Any, shape: tuple[int, int, int]) -> None:
        lanes, vectors, _ = shape
        share = _spread(builder, arguments["share"], lanes)
        for vector in range(vectors):
            offset = builder.add(place, _INDEX(vector * lanes))
            old = _load(builder, slow, offset, lanes)
            way = builder.fsub(_load(builder, weights, offset, lanes), old, flags=_FLAGS)
            _store(builder, _add_product(builder, old, way, share), slow, offset, lanes)

    start = builder.mul(arguments["first"], width)
    _pass_over(builder, start, builder.mul(arguments["stop"], width), approach)


@vector_part(_emit_approach)
def approach_rows(
    first: int, stop: int, share: float, weights: np.ndarray, slow_weights: np.ndarray
) -> None:
    """Move the averaged weight rows from `first` to `stop` towards the present ones."""
    slow_weights[first:stop] += share * (weights[first:stop] - slow_weights[first:stop])
