"""Workers: short pieces of work in turn, interactive ones first, batch work not for ever last."""

from collections.abc import Callable
from threading import Event

import pytest

from kyouko.domain.networks.workers import PATIENCE, Workers


def queue_behind_a_piece(queue: Callable[[Workers, list[str]], None]) -> list[str]:
    """Return the order in which one thread does what is queued while it is busy."""
    done: list[str] = []
    may_go = Event()
    with Workers(1, "test") as workers:
        workers.submit(may_go.wait)
        queue(workers, done)
        may_go.set()
    return done


def test_work_of_one_class_runs_in_order() -> None:
    """First come, first served."""

    def queue(workers: Workers, done: list[str]) -> None:
        for name in "abc":
            workers.submit(done.append, name)

    assert ["a", "b", "c"] == queue_behind_a_piece(queue)


def test_interactive_work_goes_first() -> None:
    """Also if it came later."""

    def queue(workers: Workers, done: list[str]) -> None:
        workers.submit_batch(done.append, "batch")
        workers.submit(done.append, "interactive")

    assert ["interactive", "batch"] == queue_behind_a_piece(queue)


def test_batch_work_is_not_starved() -> None:
    """After some interactive pieces it has its turn, however many more there are."""

    def queue(workers: Workers, done: list[str]) -> None:
        workers.submit_batch(done.append, "batch")
        for _ in range(10 * PATIENCE):
            workers.submit(done.append, "interactive")

    assert PATIENCE - 1 == queue_behind_a_piece(queue).index("batch")


def test_an_error_reaches_who_asked() -> None:
    """And the thread goes on."""
    with Workers(1, "test") as workers:
        failed = workers.submit(lambda: 1 // 0)
        fine = workers.submit(lambda: 1)

        with pytest.raises(ZeroDivisionError):
            failed.result(10)
        assert 1 == fine.result(10)


def test_cancelled_work_is_not_done() -> None:
    """Work that has not begun can still be called off."""

    def queue(workers: Workers, done: list[str]) -> None:
        workers.submit(done.append, "off").cancel()
        workers.submit(done.append, "on")

    assert ["on"] == queue_behind_a_piece(queue)


def test_nobody_works_after_the_end() -> None:
    """What comes after a shutdown is refused."""
    workers = Workers(1, "test")
    workers.shutdown()

    with pytest.raises(RuntimeError, match="sent home"):
        workers.submit(print)
