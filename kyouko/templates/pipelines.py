"""The `pipeline` of a template in YAML; its fields are those of `hanami.kyouko.v1.Pipeline`."""

from typing import Final

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
from kyouko.templates.fields import Fields

_MISSING: Final = {item.value: item for item in MissingPolicy}
_LATE: Final = {item.value: item for item in LatePolicy}


def read_pipeline(root: Fields) -> PipelineOptions | None:
    """Return the pipeline of a template; what is wrong with it is reported to `root`."""
    fields = root.section("pipeline")
    if fields is None:
        return None
    result = PipelineOptions(
        lags=fields.integer_list("lags"),
        window=fields.integer("window") or 0,
        differences=fields.integer_list("differences"),
        calendar=_calendar(fields),
        forecast=_forecast(fields),
        reconstruction=_reconstruction(fields),
        missing=fields.optional_choice("missing", _MISSING, MissingPolicy.LEARN),
        stuck_rows=fields.integer("stuck_rows") or 0,
        rules=tuple(_rule(item) for item in fields.optional_sections("rules")),
        late=_lateness(fields),
        grow_channels=fields.boolean("grow_channels") or False,
        most_channels=fields.integer("most_channels") or 0,
        narrow_rows=fields.boolean("narrow_rows") or False,
    )
    fields.finish()
    return result


def _calendar(parent: Fields) -> Calendar | None:
    fields = parent.section("calendar")
    if fields is None:
        return None
    chosen = [
        fields.boolean(name) or False for name in ("hour_of_day", "day_of_week", "day_of_year")
    ]
    zone = fields.text("time_zone") or "UTC"
    fields.finish()
    hour, week, year = chosen if any(chosen) else (True, True, True)
    return Calendar(hour, week, year, zone)


def _forecast(parent: Fields) -> Forecast | None:
    fields = parent.section("forecast")
    if fields is None:
        return None
    horizon = fields.integer("horizon")
    result = Forecast(1 if horizon is None else horizon, fields.texts("channels"))
    fields.finish()
    return result


def _reconstruction(parent: Fields) -> Reconstruction | None:
    fields = parent.section("reconstruction")
    if fields is None:
        return None
    result = Reconstruction(fields.texts("channels"))
    fields.finish()
    return result


def _rule(fields: Fields) -> ChannelRule:
    result = ChannelRule(
        channels=fields.texts("channels"),
        missing=fields.optional_choice("missing", _MISSING, None),
        stuck_rows=fields.integer("stuck_rows"),
    )
    fields.finish()
    return result


def _lateness(parent: Fields) -> Lateness | None:
    fields = parent.section("late")
    if fields is None:
        return None
    policy = fields.optional_choice("policy", _LATE, LatePolicy.SKIP)
    result = Lateness(policy, fields.number("tolerance_seconds") or 0.0)
    fields.finish()
    return result
