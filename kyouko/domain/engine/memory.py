"""Memory for networks: all arrays in one piece at the same distances, lent by the system."""

import math
import mmap
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.errors import EngineMemoryError
from kyouko.domain.engine.structure import NetworkStructure

__all__ = [
    "Shapes",
    "allocate",
    "borrow_zeros",
    "count_bytes",
    "count_gaps",
    "count_lent_bytes",
    "find_least_limit",
    "find_needed_bytes",
]

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]
Shapes = Mapping[str, tuple[tuple[int, ...], Any]]

_LINE: Final = 64
# A compiled loop over two arrays asks how far apart they begin, and where that is less than some
# hundred bytes it takes another version of itself, whose last bits may differ.
_GAP: Final = 256
# From there on huge pages are worth it, as for arrays of numpy.
_HUGE_BYTES: Final = 4 * 2**20
_HUGE_PAGE_BYTES: Final = 2 * 2**20


def _size(shape: tuple[int, ...], dtype: Any) -> int:
    return math.prod(shape) * int(np.dtype(dtype).itemsize)


def count_bytes(shapes: Shapes) -> int:
    """Return the bytes of arrays of these shapes, without the gaps between them."""
    return sum(_size(*entry) for entry in shapes.values())


def count_gaps(shapes: Shapes) -> int:
    """Return the most bytes that the gaps between so many arrays take."""
    return len(shapes) * (_GAP + _LINE) + _LINE


def allocate(shapes: Shapes) -> dict[str, Array]:
    """Allocate zeros, each array on the border of a cache line.

    What was never written costs no memory, and nothing does once the last array is gone. One
    piece, so that the distances between the arrays, on which the last bits of a sum may depend,
    are the same in every process.
    """
    memory = borrow_zeros(count_bytes(shapes) + count_gaps(shapes))
    start = -memory.ctypes.data % _LINE
    arrays: dict[str, Array] = {}
    for name, (shape, dtype) in shapes.items():
        size = _size(shape, dtype)
        arrays[name] = memory[start : start + size].view(dtype).reshape(shape)
        start += -(-size // _LINE) * _LINE + _GAP
    return arrays


def borrow_zeros(size: int) -> Bytes:
    """Borrow zeros from the system, which has them back as soon as the last view of them is gone.

    The allocator of the process would take them from what others gave back, write zeros over all
    of it at once, and keep it when the network is no more.

    Args:
        size: bytes.
    """
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if size >= _HUGE_BYTES:
        # A system without huge pages refuses the advice, and needs none. Learning takes a tenth
        # longer without them.
        with suppress(OSError):
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8)


def count_lent_bytes(total: int, unused: Iterable[int]) -> int:
    """Return what the system has lent of a piece in which some arrays were not written to the end.

    Args:
        total: bytes of the piece.
        unused: bytes of each stretch that was never written; what shares a page with others is
            there all the same.
    """
    page = _HUGE_PAGE_BYTES if total >= _HUGE_BYTES else mmap.PAGESIZE
    return total - sum(max(0, stretch - page) for stretch in unused)


def find_needed_bytes(
    make: Callable[[NetworkStructure], object], structure: NetworkStructure
) -> int:
    """Return the least memory limit with which an engine can be made of a structure.

    Args:
        make: makes an empty engine; asked for one in a single byte, it says what it needs.
        structure: of that engine.
    """
    try:
        make(replace(structure, options=replace(structure.options, memory_limit_bytes=1)))
    except EngineMemoryError as error:
        return error.needed_bytes
    return 1


def find_least_limit(needed_bytes: int, reserve: Callable[[int], int]) -> int:
    """Return the least memory limit of which so many bytes are left after a reservation.

    Args:
        needed_bytes: what has to be left.
        reserve: bytes set aside under a limit: a part of it, not fewer under a higher one.
    """
    limit = needed_bytes
    while limit - reserve(limit) < needed_bytes:
        limit = needed_bytes + reserve(limit)
    return limit
