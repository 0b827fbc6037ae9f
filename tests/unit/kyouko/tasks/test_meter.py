"""Progress arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyouko.domain.networks.learner import RowResults
from kyouko.domain.tasks.meter import ProgressMeter
from kyouko.domain.tasks.task import TaskProgress, Totals


def results(rows: int, *, loss: float = 0.5, correct: int = 0) -> RowResults:
    """Return the scores of some rows, each with the same loss."""
    return RowResults(
        outputs=np.zeros((rows, 0), np.float32),
        predicted=None,
        loss=np.full(rows, loss, np.float32),
        correct_rows=correct,
        absolute_error=0.25 * rows,
        labels_before=0,
        labels_after=0,
        learned_rows=0,
    )


def add(meter: ProgressMeter, rows: int, now: float, **scores: float) -> None:
    """Take in rows that all have a target."""
    meter.add(
        rows,
        results(rows, **scores),
        scored_rows=rows,
        engine_seconds=0.01,
        now=now,  # type: ignore[arg-type]
    )


def test_nothing_is_known_at_the_beginning() -> None:
    """Neither a speed nor the time that is left."""
    progress = ProgressMeter(TaskProgress(total_rows=100), 10.0).progress(10.0, None)

    assert (0, 0.0, None) == (
        progress.totals.done_rows,
        progress.rows_per_second,
        progress.remaining_seconds,
    )


def test_speed_and_time_left() -> None:
    """Half the rows in five seconds leave five seconds."""
    meter = ProgressMeter(TaskProgress(total_rows=100), 10.0)
    for second in range(1, 6):
        add(meter, 10, 10.0 + second)

    progress = meter.progress(15.0, None)

    assert 10.0 == pytest.approx(progress.rows_per_second)
    assert 5.0 == pytest.approx(progress.remaining_seconds or 0)
    assert 5.0 == pytest.approx(progress.totals.seconds)


def test_the_speed_is_that_of_late() -> None:
    """After a slow beginning the speed of the last seconds counts."""
    meter = ProgressMeter(TaskProgress(total_rows=10_000), 0.0)
    add(meter, 1, 100.0)
    for tenth in range(1, 51):
        add(meter, 100, 100.0 + tenth / 10)

    assert 1000.0 == pytest.approx(meter.progress(105.0, None).rows_per_second, rel=0.05)


def test_the_speed_sinks_while_nothing_comes() -> None:
    """A task that waits for its archive does not look fast."""
    meter = ProgressMeter(TaskProgress(total_rows=100), 0.0)
    add(meter, 10, 1.0)

    assert meter.progress(11.0, None).rows_per_second < 1.0


def test_sums_go_on_from_an_earlier_process() -> None:
    """Rows, losses and seconds of before the restart are in the totals."""
    before = TaskProgress(total_rows=100, totals=Totals(40, 40, 20.0, 30, 1.0, 0.5, 8.0))
    meter = ProgressMeter(before, 50.0)

    add(meter, 10, 52.0, loss=1.0, correct=9)

    totals = meter.progress(52.0, None).totals
    assert (50, 50, 39) == (totals.done_rows, totals.scored_rows, totals.correct_rows)
    assert (30.0, 10.0) == pytest.approx((totals.loss, totals.seconds))


def test_rows_without_a_target_are_done_and_not_scored() -> None:
    """They count as done; means over scored rows do not see them."""
    meter = ProgressMeter(TaskProgress(total_rows=10), 0.0)

    meter.add(4, None, scored_rows=0, engine_seconds=0.5, now=1.0)

    assert (4, 0, 0.0) == (meter.totals.done_rows, meter.totals.scored_rows, meter.totals.loss)


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(0.0, 2.0)), max_size=30))
def test_progress_never_goes_back(steps: list[tuple[int, float]]) -> None:
    """Rows only rise, and neither speed nor time left is ever negative."""
    meter, now, done = ProgressMeter(TaskProgress(total_rows=100_000), 0.0), 0.0, 0

    for rows, pause in steps:
        now += pause
        add(meter, rows, now)
        progress = meter.progress(now, None)
        assert progress.totals.done_rows == done + rows
        assert progress.rows_per_second >= 0
        assert (progress.remaining_seconds or 0) >= 0
        done += rows
