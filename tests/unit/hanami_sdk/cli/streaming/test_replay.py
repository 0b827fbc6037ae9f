"""Replay: paces, times, and when rows are handed out."""

import math

import pytest

from hanami_sdk.cli.csv_rows import Record, RowReader
from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.cli.row_batches import Row
from hanami_sdk.cli.row_layout import ColumnChoice
from hanami_sdk.cli.streaming.replay import paced, parse_pace
from hanami_sdk.event_times import parse_time


def waits(times: list[float], pace: float) -> list[float]:
    """Return how long is waited before rows, on a clock that only waiting moves."""
    now, found = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        now[0] += seconds
        found.append(round(seconds, 6))

    rows = [Row(n, [1.0], "a", [], int(time * 1e9)) for n, time in enumerate(times, 2)]
    assert rows == list(paced(rows, pace, sleep=sleep, clock=lambda: now[0]))
    return found


@pytest.mark.parametrize(("text", "pace"), [("1x", 1.0), ("10x", 10.0), ("2.5", 2.5)])
def test_paces(text: str, pace: float) -> None:
    """A number, with or without the x."""
    assert pace == parse_pace(text)
    assert math.isinf(parse_pace("max"))


@pytest.mark.parametrize("text", ["fast", "0x", "-1x", "inf", "nan"])
def test_what_is_no_pace_is_refused(text: str) -> None:
    """Backwards, and endlessly fast or slow, is not offered."""
    with pytest.raises(CommandFailure, match="is no pace"):
        parse_pace(text)


@pytest.mark.parametrize(
    "text",
    ["1700000000", "1700000000000", "1700000000000000000", "2023-11-14T22:13:20Z",
     "2023-11-14 22:13:20", "2023-11-14T23:13:20+01:00"],
)  # fmt: skip
def test_times_are_numbers_or_iso(text: str) -> None:
    """The size of a number tells its unit; no zone means UTC."""
    assert 1_700_000_000 * 10**9 == parse_time(text)


def test_rows_come_when_their_time_has_come() -> None:
    """At ten times the pace, a tenth of the time passes."""
    assert [0.1, 0.2] == waits([100, 101, 103], 10.0)


def test_a_clock_that_runs_backwards_is_not_waited_for() -> None:
    """The row comes at once, and the next ones are counted from it."""
    assert [1.0, 2.0] == waits([100, 101, 50, 52], 1.0)


def test_without_a_pace_times_do_not_matter() -> None:
    """Nobody waits."""
    assert [] == waits([100, 200], math.inf)


@pytest.mark.parametrize("text", ["noon", "", "nan", "inf", "9" * 30])
def test_what_is_no_time_is_told(text: str) -> None:
    """With its line, and which times are read."""
    records = [Record(1, ["at", "a", "b"]), Record(2, [text, "1", "x"])]

    with pytest.raises(CommandFailure, match=r"Line 2: .* is no time"):
        list(RowReader(ColumnChoice(label="b", time="at")).read(records))
