"""What Ctrl-C may break off while processes are started and stopped, and what it may not."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["held_back", "second_ends"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def held_back() -> Iterator[None]:
    """Let signals that end a command wait until the block is done."""
    waiting: list[int] = []
    former = _handle(_SIGNALS, lambda number, frame: waiting.append(number))
    try:
        yield
    finally:
        _restore(former)
        for number in waiting:
            signal.raise_signal(number)


@contextmanager
def second_ends(first: Callable[[], None], second: Callable[[], None]) -> Iterator[None]:
    """Call `first` at the first Ctrl-C, which ends nothing, and `second` at all others.

    What `second` raises comes out of the block.
    """
    count = 0

    def take(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        (first if count == 1 else second)()

    former = _handle((signal.SIGINT,), take)
    try:
        yield
    finally:
        _restore(former)


_Former = dict[signal.Signals, "signal._HANDLER"]


def _handle(
    signals: tuple[signal.Signals, ...], take: Callable[[int, FrameType | None], None]
) -> _Former:
    """Take signals over, but those that are ignored; only the main thread gets any."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    former = {number: signal.getsignal(number) for number in signals}
    former = {n: handler for n, handler in former.items() if handler is not signal.SIG_IGN}
    for number in former:
        signal.signal(number, take)
    return former


def _restore(former: _Former) -> None:
    for number, handler in former.items():
        signal.signal(number, handler)
