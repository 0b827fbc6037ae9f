"""Pipelines and what they have seen, to and from messages."""

from hanami.kyouko.v1 import network_service_pb2
from hanami.kyouko.v1 import template_service_pb2 as pb

from kyouko.domain.pipeline.options import (
    Calendar,
    ChannelRule,
    Forecast,
    Lateness,
    LatePolicy,
    MissingPolicy,
    PipelineOptions,
    Reconstruction,
)
from kyouko.domain.pipeline.statistics import PipelineStatistics

_MISSING = {
    policy: pb.MissingPolicy.Value(f"MISSING_POLICY_{policy.name}") for policy in MissingPolicy
}
_MISSING_OF = {number: policy for policy, number in _MISSING.items()}
_LATE = {policy: pb.LatePolicy.Value(f"LATE_POLICY_{policy.name}") for policy in LatePolicy}
_LATE_OF = {number: policy for policy, number in _LATE.items()}


def pipeline_message(options: PipelineOptions) -> pb.Pipeline:
    """Return a pipeline as a message."""
    message = pb.Pipeline(
        lags=options.lags,
        window=options.window,
        differences=options.differences,
        missing=_MISSING[options.missing],
        stuck_rows=options.stuck_rows,
        rules=[_rule_message(rule) for rule in options.rules],
        grow_channels=options.grow_channels,
        narrow_rows=options.narrow_rows,
    )
    if options.most_channels:
        message.most_channels = options.most_channels
    if options.calendar is not None:
        message.calendar.CopyFrom(_calendar_message(options.calendar))
    if options.forecast is not None:
        message.forecast.horizon = options.forecast.horizon
        message.forecast.channels.extend(options.forecast.channels)
    if options.reconstruction is not None:
        message.reconstruction.SetInParent()
        message.reconstruction.channels.extend(options.reconstruction.channels)
    if options.late is not None:
        message.late.policy = _LATE[options.late.policy]
        message.late.tolerance_seconds = options.late.tolerance_seconds
    return message


def pipeline_of(message: pb.Pipeline) -> PipelineOptions:
    """Return the pipeline in a message."""
    return PipelineOptions(
        lags=tuple(message.lags),
        window=message.window,
        differences=tuple(message.differences),
        calendar=_calendar_of(message.calendar) if message.HasField("calendar") else None,
        forecast=_forecast_of(message.forecast) if message.HasField("forecast") else None,
        reconstruction=Reconstruction(tuple(message.reconstruction.channels))
        if message.HasField("reconstruction")
        else None,
        missing=_MISSING_OF.get(message.missing, MissingPolicy.LEARN),
        stuck_rows=message.stuck_rows,
        rules=tuple(_rule_of(rule) for rule in message.rules),
        late=_lateness_of(message.late) if message.HasField("late") else None,
        grow_channels=message.grow_channels,
        most_channels=message.most_channels,
        narrow_rows=message.narrow_rows,
    )


def pipeline_statistics_message(
    statistics: PipelineStatistics,
) -> network_service_pb2.PipelineStatistics:
    """Return what a pipeline has seen as a message."""
    cause = network_service_pb2.QuarantineCause
    return network_service_pb2.PipelineStatistics(
        channels=statistics.channels,
        pending_rows=statistics.pending_rows,
        late_rows=statistics.late_rows,
        skipped_rows=statistics.skipped_rows,
        stuck_channels=statistics.stuck_channels,
        quarantined=[
            network_service_pb2.QuarantineCount(
                cause=cause.Value(f"QUARANTINE_CAUSE_{item.cause.upper()}"),
                channel=item.channel,
                values=item.values,
            )
            for item in statistics.quarantined
        ],
    )


def _calendar_message(calendar: Calendar) -> pb.Calendar:
    return pb.Calendar(
        hour_of_day=calendar.hour_of_day,
        day_of_week=calendar.day_of_week,
        day_of_year=calendar.day_of_year,
        time_zone=calendar.time_zone,
    )


def _calendar_of(message: pb.Calendar) -> Calendar:
    zone = message.time_zone or "UTC"
    if not (message.hour_of_day or message.day_of_week or message.day_of_year):
        return Calendar(time_zone=zone)
    return Calendar(message.hour_of_day, message.day_of_week, message.day_of_year, zone)


def _forecast_of(message: pb.Forecast) -> Forecast:
    horizon = message.horizon if message.HasField("horizon") else 1
    return Forecast(horizon, tuple(message.channels))


def _rule_message(rule: ChannelRule) -> pb.ChannelRule:
    message = pb.ChannelRule(channels=rule.channels, stuck_rows=rule.stuck_rows)
    if rule.missing is not None:
        message.missing = _MISSING[rule.missing]
    return message


def _rule_of(message: pb.ChannelRule) -> ChannelRule:
    return ChannelRule(
        channels=tuple(message.channels),
        missing=_MISSING_OF.get(message.missing),
        stuck_rows=message.stuck_rows if message.HasField("stuck_rows") else None,
    )


def _lateness_of(message: pb.Lateness) -> Lateness:
    return Lateness(_LATE_OF.get(message.policy, LatePolicy.SKIP), message.tolerance_seconds)
