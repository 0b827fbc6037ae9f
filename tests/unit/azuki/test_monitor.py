"""What azuki answers."""

import asyncio

import pytest

from azuki.domain.history import TimeRange
from azuki.domain.measurements import Metric, Sample
from azuki.domain.monitor import Monitor
from mesh.errors import FailedPrecondition, InvalidArgument, ResourceExhausted
from tests.unit.azuki.builders import FACTS, SECOND, FixedSensors, reading, sample

REASON = "there is no sensor"


def monitor(*, max_points: int = 1000) -> Monitor:
    """Return a monitor of a machine without thermometers."""
    return Monitor(
        FixedSensors(absent={Metric.TEMPERATURE: REASON}),
        interval_seconds=1,
        retention_seconds=100,
        max_points=max_points,
        max_watches_each=9,
    )


def test_a_machine_tells_what_it_offers_and_why_not() -> None:
    """Every metric is listed, with a reason where it is missing."""
    machine = monitor().machine()

    availability = {entry.metric: (entry.is_available, entry.reason) for entry in machine.metrics}

    assert machine.facts == FACTS
    assert availability.keys() == set(Metric)
    assert (False, REASON) == availability[Metric.TEMPERATURE]
    assert (True, "") == availability[Metric.CPU_LOAD]


def test_no_metrics_asked_for_means_all_that_are_offered() -> None:
    """An empty filter is no error on a machine that lacks a sensor."""
    asked = monitor()
    asked.add(sample(1, reading(1.0), reading(2.0, metric=Metric.MEMORY_USED)))

    found = {series.key.metric for series in asked.measurements([], TimeRange())}

    assert {Metric.CPU_LOAD, Metric.MEMORY_USED} == found


def test_a_missing_metric_is_refused_with_its_reason() -> None:
    """Asking for what the machine lacks says why, also among other metrics."""
    with pytest.raises(FailedPrecondition) as caught:
        monitor().measurements([Metric.CPU_LOAD, Metric.TEMPERATURE], TimeRange())

    assert caught.value.reason == "NOT_OFFERED"
    assert caught.value.metadata == {"metric": "temperature", "because": REASON}
    assert REASON in caught.value.message


def test_a_missing_metric_cannot_be_watched() -> None:
    """Watching refuses at once, not at the first sample."""
    with pytest.raises(FailedPrecondition):
        monitor().watch([Metric.TEMPERATURE], name="users/alice")


@pytest.mark.parametrize("end", [5, 4])
def test_a_span_must_end_after_it_starts(end: int) -> None:
    """An empty or turned span names its field."""
    with pytest.raises(InvalidArgument) as caught:
        monitor().measurements([], TimeRange(5 * SECOND, end * SECOND))

    assert caught.value.reason == "FIELD_INVALID"
    assert [v.field for v in caught.value.violations] == ["end_time"]


def test_an_answer_has_a_limit() -> None:
    """Too large an answer is refused with limit and size, not sent."""
    asked = monitor(max_points=3)
    for second in range(1, 6):
        asked.add(sample(second))

    with pytest.raises(ResourceExhausted) as caught:
        asked.measurements([], TimeRange())

    assert caught.value.metadata == {"limit": "3", "actual": "5"}


async def test_watching_shows_the_wanted_metrics_only() -> None:
    """Samples without a wanted metric are left out as a whole."""
    asked = monitor()
    watched = asked.watch([Metric.MEMORY_USED], name="users/alice")
    first = asyncio.ensure_future(anext(watched))
    await asyncio.sleep(0)
    wanted = reading(7.0, metric=Metric.MEMORY_USED)

    asked.add(sample(1, reading(1.0)))
    asked.add(sample(2, reading(1.0), wanted))

    assert Sample(2 * SECOND, [wanted]) == await first
