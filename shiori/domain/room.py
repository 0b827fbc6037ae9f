"""Room on the disk for uploads: promised before the bytes come, and gone all the same."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mesh.errors import ResourceExhausted

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: OSError) -> bool:
    """Return whether something could not be written because there is no room for it."""
    return error.errno in _FULL


class Promise:
    """Room for one upload that has not been filled yet, in bytes."""

    def __init__(self, size: int) -> None:
        self.left = size

    def fill(self, size: int) -> None:
        """Count bytes that lie on the disk now."""
        self.left -= size


class Room:
    """Promises free room, so that uploads at the same time do not count on the same bytes.

    Only the announced bytes are promised; the table that they become is of a size
    that nobody knows before, so a disk can still run full.
    """

    def __init__(self, free_bytes: Callable[[], int]) -> None:
        self._free_bytes = free_bytes
        self._promises: list[Promise] = []

    @contextmanager
    def promised(self, size: int) -> Iterator[Promise]:
        """Keep room for an upload while the context is open.

        Raises:
            ResourceExhausted: LIMIT_REACHED: there is not so much room, or there is none
                any more on the way.
        """
        room = max(0, self._free_bytes() - sum(promise.left for promise in self._promises))
        if size > room:
            raise ResourceExhausted(
                f"the files have {size} bytes, but there is room for {room} at the moment",
                reason="LIMIT_REACHED",
                metadata={"limit": str(room), "actual": str(size)},
            )
        promise = Promise(size)
        self._promises.append(promise)
        try:
            yield promise
        except OSError as error:
            if not is_full(error):
                raise
            raise ResourceExhausted(
                "the disk is full; nothing has been kept, try again when there is room",
                reason="LIMIT_REACHED",
            ) from error
        finally:
            self._promises.remove(promise)
