"""The search for the nearest kept rows, written as vector instructions; see `vectors`.

It takes most of what the experts cost. Distances are those of 128 kept rows at a time, whose sums
stay in registers. Then no list is kept in order on the way: the least distances of 32 groups of
rows, that are at hand, already bound how far away the nearest can be, and few rows are closer.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from kyouko.kernels.compile import Arguments, vector_part

__all__ = ["LEAST_PLACES", "bound_nearest", "list_near", "measure_distances"]

_LANES = 16
_GROUPS = 2 * _LANES  # of rows whose least distance is followed
LEAST_PLACES = _GROUPS + 1  # the last one holds the bound
_UNROLLED = 8  # vectors of distances that are summed up together

_FLOAT = ir.FloatType()
_INDEX = ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, _LANES)
_FAR = 3e38


def _all(number: float) -> Any:
    return ir.Constant(_VECTOR, [number] * _LANES)


def _spread(builder: Any, value: Any) -> Any:
    """Return a vector with the same value in every lane."""
    empty = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(empty, value, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
    return builder.shuffle_vector(first, empty, zeros)


def _at(builder: Any, pointer: Any, place: Any) -> Any:
    return builder.bitcast(builder.gep(pointer, [place]), _VECTOR.as_pointer())


def _load(builder: Any, pointer: Any, place: Any) -> Any:
    return builder.load(_at(builder, pointer, place), align=4)


def _store(builder: Any, value: Any, pointer: Any, place: Any) -> None:
    builder.store(value, _at(builder, pointer, place), align=4)


def _lesser(builder: Any, one: Any, other: Any) -> Any:
    """Return the lesser in each lane, and `other` where that is NaN."""
    return builder.select(builder.fcmp_ordered("<", one, other), one, other)


def _loop(builder: Any, start: Any, stop: Any, step: int) -> Any:
    code: Any = cgutils
    return code.for_range_slice(builder, start, stop, _INDEX(step), _INDEX)


class _Search:
    """Emits the code for the distances of some kept rows.

    A gap is a NaN that stays one when squares are capped. Only where a sum is NaN, there are gaps
    among these rows, and the sums are made again with what gaps count.
    """

    def __init__(self, builder: Any, arguments: Arguments) -> None:
        self.builder = builder
        self.arguments = arguments
        self.room = arguments.extent("ring_values", 1)
        self.channels = arguments.extent("fresh", 1)
        self.row_start = builder.mul(arguments["row"], self.channels)
        with builder.goto_entry_block():
            self.sums = [builder.alloca(_VECTOR) for _ in range(_UNROLLED)]

    def sum_up(self, place: Any, vectors: int) -> None:
        """Write the distances of the rows from `place` on."""
        builder = self.builder
        self._add_channels(place, vectors, gaps=False)
        unsure = None
        for total in self.sums[:vectors]:
            found = builder.load(total)
            test = builder.fcmp_unordered("uno", found, found)
            unsure = test if unsure is None else builder.or_(unsure, test)
        bits = builder.bitcast(unsure, ir.IntType(_LANES))
        some = builder.icmp_unsigned("!=", bits, ir.IntType(_LANES)(0))
        with builder.if_then(some, likely=False):
            self._add_channels(place, vectors, gaps=True)
        for vector, total in enumerate(self.sums[:vectors]):
            offset = builder.add(place, _INDEX(vector * _LANES))
            _store(builder, builder.load(total), self.arguments.data("distance"), offset)

    def _add_channels(self, place: Any, vectors: int, *, gaps: bool) -> None:
        builder, arguments = self.builder, self.arguments
        for total in self.sums[:vectors]:
            builder.store(_all(0.0), total)
        with _loop(builder, _INDEX(0), self.channels, 1) as (channel, _):
            here = [builder.add(self.row_start, channel)]
            slope = builder.load(builder.gep(arguments.data("inverse"), here))
            with builder.if_then(builder.fcmp_unordered("!=", slope, _FLOAT(0.0))):
                raw = builder.load(builder.gep(arguments.data("fresh"), here))
                value, slopes = _spread(builder, raw), _spread(builder, slope)
                start = builder.add(builder.mul(channel, self.room), place)
                for vector, total in enumerate(self.sums[:vectors]):
                    offset = builder.add(start, _INDEX(vector * _LANES))
                    kept = _load(builder, arguments.data("ring_values"), offset)
                    step = builder.fmul(builder.fsub(value, kept), slopes)
                    square = _lesser(builder, _all(16.0), builder.fmul(step, step))
                    if gaps:
                        gap = builder.fcmp_unordered("uno", square, square)
                        square = builder.select(gap, _all(2.0), square)
                    builder.store(builder.fadd(builder.load(total), square), total)

    def follow_least(self, vectors: int) -> None:
        """Let the groups' least distances take in the newest sums."""
        builder, least = self.builder, self.arguments.data("least")
        for half in range(2):
            lowest = _load(builder, least, _INDEX(half * _LANES))
            for total in self.sums[half:vectors:2]:
                lowest = _lesser(builder, builder.load(total), lowest)
            _store(builder, lowest, least, _INDEX(half * _LANES))


def _emit_distances(builder: Any, arguments: Arguments) -> None:
    search = _Search(builder, arguments)
    start, stop = arguments["first"], arguments["stop"]
    for vectors in (_UNROLLED, 1):
        span = _INDEX(vectors * _LANES)
        end = builder.sub(stop, builder.srem(builder.sub(stop, start), span))
        with _loop(builder, start, end, span.constant) as (place, _):
            search.sum_up(place, vectors)
            search.follow_least(vectors)
        start = end
    # The rest is done with rows before and behind it, of which none counts: their distances are
    # written for a second time, or overwritten later.
    with builder.if_then(builder.icmp_signed("<", start, stop)):
        last = builder.sub(arguments.extent("distance", 0), _INDEX(_LANES))
        inside = builder.icmp_signed("<", start, last)
        search.sum_up(builder.select(inside, start, last), 1)


@vector_part(_emit_distances)
def measure_distances(
    row: int,
    first: int,
    stop: int,
    fresh: np.ndarray,
    inverse: np.ndarray,
    ring_values: np.ndarray,
    distance: np.ndarray,
    least: np.ndarray,
) -> None:
    """Write a row's squared distances from the kept rows `first` to `stop`, in deviations.

    No channel counts more than four of them, so that an outlier does not decide alone; where the
    kept row has a gap, it counts as much as between two rows by chance.

    The rows are divided into groups; the least distance in each of them is followed, but for the
    last few rows.
    """
    total = np.zeros(stop - first, np.float32)
    for channel in range(fresh.shape[1]):
        if inverse[row, channel] != 0.0:
            steps = fresh[row, channel] - ring_values[channel, first:stop]
            squares = np.minimum((steps * inverse[row, channel]) ** 2, np.float32(16.0))
            total += np.where(np.isnan(squares), np.float32(2.0), squares)
    distance[first:stop] = total
    for place in range(stop - first):
        group = place % _GROUPS
        least[group] = min(least[group], total[place])


def _emit_bound(builder: Any, arguments: Arguments) -> None:
    least = arguments.data("least")
    halves = [builder.alloca(_VECTOR) for _ in range(2)]
    lowest = builder.alloca(_VECTOR)
    builder.store(_all(_FAR), lowest)
    for number, half in enumerate(halves):
        builder.store(_load(builder, least, _INDEX(number * _LANES)), half)
    with _loop(builder, _INDEX(0), arguments["wanted"], 1):
        found = _lesser(builder, builder.load(halves[0]), builder.load(halves[1]))
        for distance in (8, 4, 2, 1):
            order = [(lane + distance) % _LANES for lane in range(_LANES)]
            mask = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), order)
            found = _lesser(builder, found, builder.shuffle_vector(found, found, mask))
        builder.store(found, lowest)
        for half in halves:
            old = builder.load(half)
            taken = builder.fcmp_ordered("<=", old, found)
            builder.store(builder.select(taken, _all(_FAR), old), half)
    bound = builder.extract_element(builder.load(lowest), ir.IntType(32)(0))
    builder.store(bound, builder.gep(least, [_INDEX(_GROUPS)]))


@vector_part(_emit_bound)
def bound_nearest(wanted: int, least: np.ndarray) -> None:
    """Write behind the groups' least distances which of them the nearest `wanted` do not exceed."""
    ordered = np.unique(least[:_GROUPS])
    least[_GROUPS] = ordered[wanted - 1] if wanted <= len(ordered) else np.float32(_FAR)


def _emit_list(builder: Any, arguments: Arguments) -> None:
    distance, listed = arguments.data("distance"), arguments.data("listed")
    bound = builder.load(builder.gep(arguments.data("least"), [_INDEX(_GROUPS)]))
    limit = _spread(builder, bound)

    def near(place: Any) -> Any:
        """Return a bit for each of the rows from `place` on: whether it is near enough."""
        test = builder.fcmp_ordered("<=", _load(builder, distance, place), limit)
        return builder.zext(builder.bitcast(test, ir.IntType(_LANES)), _INDEX)

    def append(place: Any, bits: Any) -> None:
        before = builder.block
        head, body, after = (builder.append_basic_block() for _ in range(3))
        builder.branch(head)
        builder.position_at_end(head)
        left = builder.phi(_INDEX)
        left.add_incoming(bits, before)
        builder.cbranch(builder.icmp_unsigned("!=", left, _INDEX(0)), body, after)
        builder.position_at_end(body)
        slot = builder.add(place, builder.cttz(left, ir.IntType(1)(1)))
        count = builder.add(builder.load(listed), ir.IntType(32)(1))
        builder.store(count, listed)
        here = builder.gep(listed, [builder.zext(count, _INDEX)])
        builder.store(builder.trunc(slot, ir.IntType(32)), here)
        left.add_incoming(builder.and_(left, builder.sub(left, _INDEX(1))), body)
        builder.branch(head)
        builder.position_at_end(after)

    start, stop = arguments["first"], arguments["stop"]
    for vectors in (4, 1):
        span = _INDEX(vectors * _LANES)
        end = builder.sub(stop, builder.srem(builder.sub(stop, start), span))
        with _loop(builder, start, end, span.constant) as (place, _):
            bits = _INDEX(0)
            for vector in range(vectors):
                offset = _INDEX(vector * _LANES)
                found = builder.shl(near(builder.add(place, offset)), offset)
                bits = builder.or_(bits, found)
            append(place, bits)
        start = end
    with builder.if_then(builder.icmp_signed("<", start, stop)):
        last = builder.sub(arguments.extent("distance", 0), _INDEX(_LANES))
        place = builder.select(builder.icmp_signed("<", start, last), start, last)
        rest = builder.sub(builder.shl(_INDEX(1), builder.sub(stop, start)), _INDEX(1))
        append(place, builder.and_(near(place), builder.shl(rest, builder.sub(start, place))))


@vector_part(_emit_list)
def list_near(
    first: int, stop: int, least: np.ndarray, distance: np.ndarray, listed: np.ndarray
) -> None:
    """Append the kept rows from `first` to `stop` that are within the bound to a list.

    Args:
        first: first kept row.
        stop: row after the last one.
        least: float32, shape (LEAST_PLACES,), the bound comes last.
        distance: float32, shape (kept rows,), at least 16.
        listed: int32, shape (kept rows + 1,), the list behind its length.
    """
    for slot in range(first, stop):
        if distance[slot] <= least[_GROUPS]:
            listed[0] += 1
            listed[listed[0]] = slot
