"""Between azuki's messages and its domain."""

from collections.abc import Iterable, Sequence

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hanami.azuki.v1 import monitoring_service_pb2 as pb

from azuki.domain.history import TimeRange
from azuki.domain.measurements import Availability, Machine, Metric, Sample, Series

_PREFIX = "METRIC_"
_NANOSECONDS = 10**9


def metrics_of(numbers: Iterable["pb.Metric.ValueType"]) -> list[Metric]:
    """Return the metrics that a request names."""
    return [Metric(pb.Metric.Name(number).removeprefix(_PREFIX)) for number in numbers]


def time_range_of(request: pb.GetMeasurementsRequest) -> TimeRange:
    """Return the span that a request asks for."""
    return TimeRange(
        _nanoseconds(request.start_time) if request.HasField("start_time") else None,
        _nanoseconds(request.end_time) if request.HasField("end_time") else None,
    )


def machine_message(machine: Machine) -> pb.Machine:
    """Return a machine as a message."""
    facts = machine.facts
    return pb.Machine(
        host=facts.host,
        processor=facts.processor,
        logical_cores=facts.logical_cores,
        physical_cores=facts.physical_cores,
        memory_bytes=facts.memory_bytes,
        metrics=[_availability_message(entry) for entry in machine.metrics],
        interval=_duration(machine.interval_seconds),
        retention=_duration(machine.retention_seconds),
    )


def series_message(series: Series) -> pb.TimeSeries:
    """Return a series as a message."""
    return pb.TimeSeries(
        metric=_metric_number(series.key.metric),
        subject=series.key.subject,
        points=[
            pb.Point(time=_timestamp(time_ns), value=value)
            for time_ns, value in zip(series.times_ns, series.values, strict=True)
        ],
    )


def measurements_message(series: Sequence[Series]) -> pb.GetMeasurementsResponse:
    """Return measurements of the past as a message."""
    return pb.GetMeasurementsResponse(series=[series_message(entry) for entry in series])


def sample_message(sample: Sample) -> pb.WatchMeasurementsResponse:
    """Return one moment's readings as a message."""
    return pb.WatchMeasurementsResponse(
        series=[
            series_message(Series(reading.key, [sample.time_ns], [reading.value]))
            for reading in sample.readings
        ]
    )


def _availability_message(entry: Availability) -> pb.MetricAvailability:
    return pb.MetricAvailability(
        metric=_metric_number(entry.metric), available=entry.is_available, reason=entry.reason
    )


def _metric_number(metric: Metric) -> "pb.Metric.ValueType":
    return pb.Metric.Value(_PREFIX + metric)


def _nanoseconds(moment: Timestamp) -> int:
    return moment.seconds * _NANOSECONDS + moment.nanos


def _timestamp(time_ns: int) -> Timestamp:
    seconds, nanos = divmod(time_ns, _NANOSECONDS)
    return Timestamp(seconds=seconds, nanos=nanos)


def _duration(seconds: float) -> Duration:
    whole, nanos = divmod(round(seconds * _NANOSECONDS), _NANOSECONDS)
    return Duration(seconds=whole, nanos=nanos)
