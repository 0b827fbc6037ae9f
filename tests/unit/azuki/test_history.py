"""What azuki keeps of the past."""

from azuki.domain.history import History, TimeRange
from azuki.domain.measurements import Metric, SeriesKey
from tests.unit.azuki.builders import SECOND, reading, sample

LOADS = [Metric.CPU_LOAD]
ALWAYS = TimeRange()


def history(*, retention: float = 10) -> History:
    """Return an empty history with a sample a second."""
    return History(interval_seconds=1, retention_seconds=retention)


def test_values_come_back_oldest_first_with_their_times() -> None:
    """A series holds its values in the order they were taken."""
    past = history()
    for second in (5, 6, 7):
        past.add(sample(second))

    (series,) = past.select(LOADS, ALWAYS)

    assert SeriesKey(Metric.CPU_LOAD, "core-0") == series.key
    assert [5 * SECOND, 6 * SECOND, 7 * SECOND] == series.times_ns
    assert [5.0, 6.0, 7.0] == series.values


def test_old_values_give_way_to_new_ones() -> None:
    """Memory is bounded: a series never holds more than the retention time."""
    past = history(retention=3)
    for second in range(100):
        past.add(sample(second))

    (series,) = past.select(LOADS, ALWAYS)

    assert [97.0, 98.0, 99.0] == series.values


def test_values_older_than_the_retention_are_not_returned() -> None:
    """A series that stopped shrinks as time goes on, though nothing overwrites it."""
    past = history(retention=3)
    past.add(sample(1))
    past.add(sample(2))
    past.add(sample(5, reading(1.0, metric=Metric.MEMORY_USED)))

    (series,) = past.select(LOADS, ALWAYS)

    assert [2.0] == series.values


def test_a_dead_series_is_forgotten_in_the_end() -> None:
    """A series whose last value is too old is gone."""
    past = history(retention=3)
    past.add(sample(1))

    past.add(sample(9, reading(1.0, metric=Metric.MEMORY_USED)))

    assert past.select(LOADS, ALWAYS) == []


def test_a_span_includes_its_start_and_leaves_out_its_end() -> None:
    """Two spans that touch never share a value."""
    past = history()
    for second in range(1, 6):
        past.add(sample(second))

    (series,) = past.select(LOADS, TimeRange(2 * SECOND, 4 * SECOND))

    assert [2.0, 3.0] == series.values


def test_spans_beyond_all_time_are_understood() -> None:
    """Times that no 64-bit integer holds select everything or nothing."""
    past = history()
    past.add(sample(1))

    everything = past.select(LOADS, TimeRange(-(10**30), 10**30))
    nothing = past.select(LOADS, TimeRange(10**30, 10**31))

    assert [1.0] == everything[0].values
    assert nothing == []


def test_a_clock_set_back_loses_no_value() -> None:
    """Values stay in the order they were taken, whatever the clock said."""
    past = history()
    for second in (5, 6, 4, 7):
        past.add(sample(second))

    (series,) = past.select(LOADS, TimeRange(5 * SECOND, None))

    assert [5.0, 6.0, 7.0] == series.values


def test_series_come_in_the_order_of_metrics_and_numbers() -> None:
    """Core 10 stands behind core 2, and metrics stand as they were asked for."""
    past = history()
    past.add(
        sample(
            1,
            reading(1.0, subject="core-10"),
            reading(1.0, subject="core-2"),
            reading(1.0, metric=Metric.MEMORY_USED, subject="machine"),
        )
    )

    subjects = [s.key.subject for s in past.select([Metric.MEMORY_USED, Metric.CPU_LOAD], ALWAYS)]

    assert ["machine", "core-2", "core-10"] == subjects


def test_counting_agrees_with_selecting() -> None:
    """The count, by which answers are limited, is that of the values returned."""
    past = history()
    for second in range(1, 6):
        past.add(sample(second, reading(1.0), reading(2.0, subject="core-1")))

    assert past.count(LOADS, TimeRange(2 * SECOND, 4 * SECOND)) == 4
