"""Rows through a pipeline: what enters, what is set aside, and what is said about it."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pytest

from kyouko.domain.engine import (
    InputPopulation,
    NetworkStructure,
    OutputPopulation,
    Population,
    TaskKind,
    create_engine,
)
from kyouko.domain.pipeline.options import (
    Calendar,
    ChannelRule,
    Lateness,
    LatePolicy,
    MissingPolicy,
    PipelineOptions,
)
from kyouko.domain.pipeline.pipeline import Pipeline
from mesh.errors import InvalidArgument

Float32 = npt.NDArray[np.float32]
NAN = float("nan")
SECOND = 1_000_000_000


def pipeline_of(options: PipelineOptions, channels: int = 1) -> Pipeline:
    """Return a pipeline before so many channels."""
    structure = NetworkStructure(
        inputs=(InputPopulation("pump", channels, (channels, 1, 1), (0.0, 0.0, 0.0)),),
        populations=(Population("all", (0.0, 0.0, 0.0), 8),),
        output=OutputPopulation("out", TaskKind.CLASSES),
        pipeline=options,
    )
    return Pipeline(structure, options)


def let_pass(
    pipeline: Pipeline, rows: Sequence[Sequence[float]], times: Sequence[int] | None = None
) -> Float32:
    """Let rows pass, and return what the engine would get."""
    clock = None if times is None else np.array(times, np.int64)
    ready = pipeline.prepare(np.array(rows, np.float32), clock)
    pipeline.accept(ready, create_engine(pipeline.structure))
    return np.concatenate([wide.copy() for _, wide in pipeline.rows_in_order(ready)])


def test_lags_and_differences_enter_beside_each_row() -> None:
    """First the row, then what it was, then how much it changed; nothing is known at first."""
    pipeline = pipeline_of(PipelineOptions(lags=(3,), window=1, differences=(2,)))

    wide = let_pass(pipeline, [[1], [2], [4], [7]])

    expected = [[1, NAN, NAN, NAN], [2, 1, NAN, NAN], [4, 2, NAN, 3], [7, 4, 1, 5]]
    assert np.array_equal(np.array(expected, np.float32), wide, equal_nan=True)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (MissingPolicy.LEARN, [[1, 5], [NAN, 6], [3, NAN]]),
        (MissingPolicy.HOLD, [[1, 5], [1, 6], [3, 6]]),
        (MissingPolicy.SKIP, [[1, 5]]),
    ],
)
def test_missing_values_follow_the_policy(
    policy: MissingPolicy, expected: list[list[float]]
) -> None:
    """They are learned as missing, held, or their rows are left out."""
    pipeline = pipeline_of(PipelineOptions(missing=policy), 2)

    wide = let_pass(pipeline, [[1, 5], [NAN, 6], [3, float("-inf")]])

    assert np.array_equal(np.array(expected, np.float32), wide, equal_nan=True)
    found = pipeline.statistics()
    assert [("missing", 0, 1), ("non_finite", 1, 1)] == [
        (item.cause, item.channel, item.values) for item in found.quarantined
    ]


def test_a_channel_may_have_a_policy_of_its_own() -> None:
    """What is rejected is named by row, channel and cause; the other channels may lack values."""
    rule = ChannelRule(("pump[1]",), MissingPolicy.REJECT)
    pipeline = pipeline_of(PipelineOptions(rules=(rule,)), 2)
    let_pass(pipeline, [[NAN, 1]])

    with pytest.raises(InvalidArgument) as refused:
        pipeline.prepare(np.array([[1, 2], [3, NAN]]), None, place="frame.")

    assert {"row": "1", "channel": "1", "cause": "missing"} == {
        key: value for key, value in refused.value.metadata.items() if key != "field"
    }
    assert "channel 1 of row 1 is missing" in refused.value.message


def test_a_stuck_channel_counts_as_missing() -> None:
    """From the third same row on, until it says something else; a gap does not free it."""
    pipeline = pipeline_of(PipelineOptions(stuck_rows=3, missing=MissingPolicy.HOLD))

    wide = let_pass(pipeline, [[7], [7], [7], [NAN], [7], [8]])

    expected = np.array([7, 7, NAN, 7, NAN, 8], np.float32)
    assert np.array_equal(expected, wide[:, 0], equal_nan=True)
    assert () == pipeline.statistics().stuck_channels


def test_stuck_channels_are_told() -> None:
    """The statistics name those that are stuck now."""
    pipeline = pipeline_of(PipelineOptions(stuck_rows=2), 3)

    let_pass(pipeline, [[1, 2, 3], [1, 3, 3]])

    found = pipeline.statistics()
    assert ((0, 2), 2) == (found.stuck_channels, len(found.quarantined))


def test_late_rows_are_left_out() -> None:
    """A row may be older than the newest by the tolerance, and not by more."""
    late = Lateness(tolerance_seconds=2.0)
    pipeline = pipeline_of(PipelineOptions(late=late))

    wide = let_pass(
        pipeline, [[1], [2], [3], [4]], [10 * SECOND, 8 * SECOND, 7 * SECOND, 11 * SECOND]
    )

    assert [1, 2, 4] == wide[:, 0].tolist()
    found = pipeline.statistics()
    assert (1, 1) == (found.late_rows, found.skipped_rows)


def test_late_rows_may_be_refused() -> None:
    """Then the fault names the row."""
    pipeline = pipeline_of(PipelineOptions(late=Lateness(LatePolicy.REJECT)))

    with pytest.raises(InvalidArgument, match="row 1 is more than 0 s older") as refused:
        pipeline.prepare(np.ones((2, 1)), np.array([2, 1], np.int64))

    assert "1" == refused.value.metadata["row"]


def test_the_calendar_knows_the_zone() -> None:
    """Noon of a Berlin summer day is half a day, wherever the clock of UTC stands."""
    calendar = Calendar(day_of_week=False, day_of_year=False, time_zone="Europe/Berlin")
    pipeline = pipeline_of(PipelineOptions(calendar=calendar))
    noon = datetime.fromisoformat("2026-07-01T12:00:00+02:00").timestamp()

    wide = let_pass(pipeline, [[1], [1]], [int(noon) * SECOND, int(noon + 6 * 3600) * SECOND])

    assert np.allclose([[1, 0, -1], [1, -1, 0]], wide, atol=1e-6)


def test_weeks_begin_on_monday_and_years_in_january() -> None:
    """The phases of both are 0 at the start of Monday, 1 January 2024 UTC."""
    calendar = Calendar(hour_of_day=False)
    pipeline = pipeline_of(PipelineOptions(calendar=calendar))
    start = datetime.fromisoformat("2024-01-01T00:00:00+00:00").timestamp()

    wide = let_pass(pipeline, [[1]], [int(start) * SECOND])

    assert np.allclose([[1, 0, 1, 0, 1]], wide, atol=1e-9)
