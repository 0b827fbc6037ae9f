"""All that can be wrong with the pipeline of a template."""

import itertools
import math
from collections.abc import Iterable, Iterator

from kyouko.domain.engine import TaskKind
from kyouko.domain.pipeline.calendar import find_time_zone
from kyouko.domain.pipeline.channels import UnknownChannelError, find_channels
from kyouko.domain.pipeline.lags import CALENDAR
from kyouko.domain.pipeline.options import ChannelRule, PipelineOptions
from kyouko.domain.template import limits
from kyouko.domain.template.template import NetworkTemplate, TemplateProblem

_PATH = "pipeline"


def problems_of_pipeline(template: NetworkTemplate) -> Iterator[TemplateProblem]:
    """Yield what is wrong; what depends on open channels is said once they are known."""
    options = template.pipeline
    if options is None:
        return
    yield from _problems_of_lags(options)
    yield from _problems_of_calendar(options, template)
    yield from _problems_of_stuck(f"{_PATH}.stuck_rows", options.stuck_rows)
    yield from _problems_of_lateness(options)
    yield from _problems_of_goal(options, template)
    yield from _problems_of_past(options, template)
    channels = [(item.name, item.known_channels) for item in template.inputs]
    known = [(name, count) for name, count in channels if count is not None]
    if len(known) == len(channels):
        yield from _problems_of_channels(options, known)
        yield from _problems_of_targets(options, template, known)
        yield from _problems_of_growth(options, sum(count for _, count in known))


def _problems_of_lags(options: PipelineOptions) -> Iterator[TemplateProblem]:
    for name, lags in (("lags", options.lags), ("differences", options.differences)):
        path = f"{_PATH}.{name}"
        yield from _outside(path, len(lags), 0, limits.MOST_DELAYS, "numbers of rows")
        for place, lag in enumerate(lags[: limits.MOST_DELAYS]):
            yield from _outside(f"{path}[{place}]", lag, 1, limits.MOST_DELAY, "rows")
        if any(later <= earlier for earlier, later in itertools.pairwise(lags)):
            yield TemplateProblem(path, "they have to ascend, each given once")
    yield from _outside(f"{_PATH}.window", options.window, 0, limits.MOST_DELAYS, "rows")


def _problems_of_calendar(
    options: PipelineOptions, template: NetworkTemplate
) -> Iterator[TemplateProblem]:
    if options.calendar is None:
        return
    try:
        find_time_zone(options.calendar.time_zone)
    except ValueError as error:
        yield TemplateProblem(f"{_PATH}.calendar.time_zone", f"{error}; UTC or an IANA name")
    inputs = [item.name for item in template.inputs]
    populations = [item.name for item in template.populations]
    for path, names in (("inputs", inputs), ("populations", populations)):
        if CALENDAR in names:
            problem = f"{CALENDAR!r} is the name of the columns that the calendar makes"
            yield TemplateProblem(f"{path}[{names.index(CALENDAR)}].name", problem)


def _problems_of_stuck(path: str, rows: int) -> Iterator[TemplateProblem]:
    if rows == 1:
        yield TemplateProblem(path, "1 row alone is never stuck; 0 for never, or 2 and more")
    yield from _outside(path, rows, 0, limits.MOST_STUCK_ROWS, "rows")


def _problems_of_lateness(options: PipelineOptions) -> Iterator[TemplateProblem]:
    if options.late is None:
        return
    seconds = options.late.tolerance_seconds
    if not (math.isfinite(seconds) and 0.0 <= seconds <= limits.MOST_LATE_SECONDS):
        yield TemplateProblem(
            f"{_PATH}.late.tolerance_seconds",
            f"{seconds:g} is outside 0 to {limits.MOST_LATE_SECONDS:g}",
        )


def _problems_of_goal(
    options: PipelineOptions, template: NetworkTemplate
) -> Iterator[TemplateProblem]:
    if options.forecast is not None and options.reconstruction is not None:
        yield TemplateProblem(
            f"{_PATH}.reconstruction", "a network forecasts or reconstructs, not both"
        )
    if options.forecast is not None:
        horizon = options.forecast.horizon
        yield from _outside(f"{_PATH}.forecast.horizon", horizon, 1, limits.MOST_HORIZON, "rows")
    if options.goal is None:
        return
    for index, item in enumerate(template.outputs):
        if item.kind is not TaskKind.NUMBERS:
            yield TemplateProblem(
                f"outputs[{index}].kind",
                "a network that teaches itself has an output of the kind numbers",
            )


def _problems_of_past(
    options: PipelineOptions, template: NetworkTemplate
) -> Iterator[TemplateProblem]:
    """Refuse a second memory of rows beside the pipeline's where the two would not agree."""
    for index, item in enumerate(template.inputs):
        if item.delays and (options.copies or options.horizon > 1):
            problem = "with this pipeline, take pipeline.lags instead"
            yield TemplateProblem(f"inputs[{index}].delays", problem)
    if options.horizon > 1:
        for index, population in enumerate(template.populations):
            if population.spiking is not None:
                problem = "potentials cannot wait for a forecast of more than one row ahead"
                yield TemplateProblem(f"populations[{index}].spiking", problem)


def _problems_of_channels(
    options: PipelineOptions, inputs: list[tuple[str, int]]
) -> Iterator[TemplateProblem]:
    if options.goal is not None:
        name = "forecast" if options.forecast is not None else "reconstruction"
        yield from _unknown(f"{_PATH}.{name}.channels", options.goal.channels, inputs)
    yield from _outside(f"{_PATH}.rules", len(options.rules), 0, limits.MOST_RULES, "rules")
    taken: dict[int, int] = {}
    for index, rule in enumerate(options.rules[: limits.MOST_RULES]):
        path = f"{_PATH}.rules[{index}]"
        if rule.stuck_rows is not None:
            yield from _problems_of_stuck(f"{path}.stuck_rows", rule.stuck_rows)
        yield from _problems_of_rule(path, index, rule, inputs, taken)


def _problems_of_rule(
    path: str,
    index: int,
    rule: ChannelRule,
    inputs: list[tuple[str, int]],
    taken: dict[int, int],
) -> Iterator[TemplateProblem]:
    if not rule.channels:
        yield TemplateProblem(f"{path}.channels", "a rule needs channels")
        return
    problems = list(_unknown(f"{path}.channels", rule.channels, inputs))
    if problems:
        yield from problems
        return
    found = find_channels(rule.channels, inputs)
    twice = [channel for channel in found if channel in taken]
    if twice:
        other = taken[twice[0]]
        yield TemplateProblem(
            f"{path}.channels", f"channel {twice[0]} is in {_PATH}.rules[{other}] already"
        )
    taken.update(dict.fromkeys(found, index))


def _problems_of_targets(
    options: PipelineOptions, template: NetworkTemplate, inputs: list[tuple[str, int]]
) -> Iterator[TemplateProblem]:
    count = count_targets(options, inputs)
    if count is None:
        return
    name = "forecast" if options.forecast is not None else "reconstruction"
    yield from _outside(f"{_PATH}.{name}.channels", count, 1, limits.MOST_NUMBERS, "channels")
    for index, item in enumerate(template.outputs):
        # 1 is what stands for a size that was left out.
        if item.size not in (1, count):
            problem = f"{item.size} numbers, but {_PATH}.{name} has {count} channels; leave it out"
            yield TemplateProblem(f"outputs[{index}].size", problem)


def _problems_of_growth(options: PipelineOptions, channels: int) -> Iterator[TemplateProblem]:
    path = f"{_PATH}.most_channels"
    if options.most_channels and not options.grow_channels:
        yield TemplateProblem(path, "is for networks with grow_channels")
        return
    if options.most_channels:
        yield from _outside(path, options.most_channels, channels, limits.MOST_CHANNELS)
    widest = (options.most_channels or 2 * channels) if options.grow_channels else channels
    total = widest * (1 + options.copies) + options.calendar_columns
    if total > limits.MOST_CHANNELS:
        yield TemplateProblem(
            _PATH,
            f"{total} numbers enter for each row, lags and differences too; at most "
            f"{limits.MOST_CHANNELS}",
        )


def count_targets(options: PipelineOptions, inputs: Iterable[tuple[str, int]]) -> int | None:
    """Return how many numbers a network teaches itself; None if none, or if that is not clear."""
    if options.goal is None:
        return None
    known = list(inputs)
    if not options.goal.channels:
        return sum(count for _, count in known)
    try:
        return len(find_channels(options.goal.channels, known))
    except UnknownChannelError:
        return None


def _unknown(
    path: str, references: tuple[str, ...], inputs: list[tuple[str, int]]
) -> Iterator[TemplateProblem]:
    try:
        find_channels(references, inputs)
    except UnknownChannelError as error:
        yield TemplateProblem(f"{path}[{error.place}]", error.problem)


def _outside(
    path: str, value: int, low: int, high: int, what: str = ""
) -> Iterator[TemplateProblem]:
    if not low <= value <= high:
        unit = f" {what}" if what else ""
        yield TemplateProblem(path, f"{value}{unit} is outside {low} to {high}")
