"""What azuki can be asked: the machine, its past, and what it measures from now on."""

from collections.abc import AsyncIterator, Sequence

from azuki.domain.broadcast import Broadcast
from azuki.domain.history import History, TimeRange
from azuki.domain.measurements import Availability, Machine, Metric, Sample, Series
from azuki.ports import Sensors
from mesh.errors import FailedPrecondition, InvalidArgument, ResourceExhausted


class Monitor:
    """Keeps what is measured and tells it.

    Args:
        sensors: The machine.
        interval_seconds: The time between two samples.
        retention_seconds: How long samples are kept.
        max_points: The most values in one answer.
        max_watches_each: How often one may watch at the same time.
    """

    def __init__(
        self,
        sensors: Sensors,
        *,
        interval_seconds: float,
        retention_seconds: float,
        max_points: int,
        max_watches_each: int,
    ) -> None:
        missing = sensors.missing()
        self._machine = Machine(
            facts=sensors.facts(),
            metrics=[Availability(metric, missing.get(metric, "")) for metric in Metric],
            interval_seconds=interval_seconds,
            retention_seconds=retention_seconds,
        )
        self._history = History(
            interval_seconds=interval_seconds, retention_seconds=retention_seconds
        )
        self._broadcast = Broadcast(max_readers_each=max_watches_each)
        self._max_points = max_points

    def add(self, sample: Sample) -> None:
        """Take in a new sample."""
        self._history.add(sample)
        self._broadcast.send(sample)

    def machine(self) -> Machine:
        """Return what the machine is and what is measured on it."""
        return self._machine

    def measurements(self, metrics: Sequence[Metric], span: TimeRange) -> list[Series]:
        """Return what was measured.

        Args:
            metrics: The metrics wanted; all that are offered when empty.
            span: When.

        Raises:
            InvalidArgument: FIELD_INVALID: the span ends before it starts.
            FailedPrecondition: NOT_OFFERED: a metric is not measured here.
            ResourceExhausted: LIMIT_REACHED: more values than one answer may hold.
        """
        wanted = self._offered(metrics)
        if span.start_ns is not None and span.end_ns is not None and span.start_ns >= span.end_ns:
            raise InvalidArgument.for_field("end_time", "must be later than start_time")
        count = self._history.count(wanted, span)
        if count > self._max_points:
            raise ResourceExhausted(
                f"{count} measurements were asked for, and one answer holds at most "
                f"{self._max_points}; ask for fewer metrics or a shorter time",
                reason="LIMIT_REACHED",
                metadata={"limit": str(self._max_points), "actual": str(count)},
            )
        return self._history.select(wanted, span)

    def watch(self, metrics: Sequence[Metric], *, name: str) -> AsyncIterator[Sample]:
        """Return the samples taken from now on, with the metrics wanted only.

        Args:
            metrics: The metrics wanted; all that are offered when empty.
            name: Who watches.

        Raises:
            FailedPrecondition: NOT_OFFERED: a metric is not measured here.
            ResourceExhausted: LIMIT_REACHED, with the first sample asked for: they
                watch too often already.
            Unavailable: SHUTTING_DOWN, in the course of it.
        """
        return self._filtered(frozenset(self._offered(metrics)), name)

    def close(self) -> None:
        """End everybody's watching."""
        self._broadcast.close()

    async def _filtered(self, wanted: frozenset[Metric], name: str) -> AsyncIterator[Sample]:
        async for sample in self._broadcast.samples(name):
            readings = [reading for reading in sample.readings if reading.key.metric in wanted]
            if readings:
                yield Sample(sample.time_ns, readings)

    def _offered(self, metrics: Sequence[Metric]) -> list[Metric]:
        if not metrics:
            return [entry.metric for entry in self._machine.metrics if entry.is_available]
        for entry in self._machine.metrics:
            if entry.metric in metrics and not entry.is_available:
                raise FailedPrecondition(
                    f"{entry.metric.lower()} is not available on this machine, because "
                    f"{entry.reason}",
                    reason="NOT_OFFERED",
                    metadata={"metric": entry.metric.lower(), "because": entry.reason},
                )
        return [metric for metric in Metric if metric in metrics]
