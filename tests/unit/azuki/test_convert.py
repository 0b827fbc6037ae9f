"""Between azuki's messages and its domain."""

from hanami.azuki.v1 import monitoring_service_pb2 as pb

from azuki import convert
from azuki.domain.history import TimeRange
from azuki.domain.measurements import Availability, Machine, Metric, Series, SeriesKey
from tests.unit.azuki.builders import FACTS


def test_every_metric_of_the_contract_has_its_counterpart() -> None:
    """Contract and domain name the same metrics."""
    declared = [value for name, value in pb.Metric.items() if value]

    assert list(Metric) == convert.metrics_of(declared)


def test_unset_times_leave_the_span_open() -> None:
    """A request without times asks for all that is kept."""
    assert TimeRange(None, None) == convert.time_range_of(pb.GetMeasurementsRequest())


def test_times_keep_their_nanoseconds() -> None:
    """A span is exact, also before 1970 and beyond 64 bits of nanoseconds."""
    request = pb.GetMeasurementsRequest()
    request.start_time.seconds, request.start_time.nanos = -1, 5
    request.end_time.seconds = 2**62

    assert TimeRange(-(10**9) + 5, 2**62 * 10**9) == convert.time_range_of(request)


def test_a_series_becomes_points_with_time_and_value() -> None:
    """Times go over the wire as timestamps."""
    series = Series(SeriesKey(Metric.TEMPERATURE, "chip/0/die"), [1_500_000_000], [42.5])

    message = convert.series_message(series)

    assert message.metric == pb.METRIC_TEMPERATURE
    assert message.subject == "chip/0/die"
    assert [(1, 500_000_000, 42.5)] == [
        (point.time.seconds, point.time.nanos, point.value) for point in message.points
    ]


def test_a_machine_tells_units_and_reasons() -> None:
    """Spans are durations, and a missing metric keeps its reason."""
    machine = Machine(FACTS, [Availability(Metric.TEMPERATURE, "no sensor")], 0.25, 900)

    message = convert.machine_message(machine)

    assert (0, 250_000_000) == (message.interval.seconds, message.interval.nanos)
    assert message.retention.seconds == 900
    assert (message.metrics[0].available, message.metrics[0].reason) == (False, "no sensor")
