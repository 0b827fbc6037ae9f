"""Log lines as people read them."""

import json
from datetime import datetime

from hanami_sdk.cli.log_lines import merged, read_line


def test_facts_follow_as_key_and_value() -> None:
    """The reason of a failed call is among them; values with blanks are quoted."""
    raw = json.dumps(
        {
            "method": "/x.Y/Z",
            "code": "NOT_FOUND",
            "reason": "RESOURCE_NOT_FOUND",
            "message": "no such network",
            "event": "call",
            "service": "kyouko",
            "level": "info",
            "timestamp": "2026-11-22T15:20:30.167181Z",
        }
    )

    line = read_line("kyouko", raw)

    assert line.as_text() == (
        "2026-11-22T15:20:30.167Z  kyouko  info     call  method=/x.Y/Z  code=NOT_FOUND  "
        'reason=RESOURCE_NOT_FOUND  message="no such network"'
    )
    assert line.as_json() == raw


def test_stack_traces_are_indented_below() -> None:
    """They stay lines."""
    line = read_line("kyouko", json.dumps({"event": "bad", "exception": "Traceback\n  x"}))

    assert line.as_text().splitlines()[1:] == ["    Traceback", "      x"]


def test_lines_of_envoy_have_time_and_level() -> None:
    """They are no JSON, and become some on demand."""
    raw = (
        "[2026-11-22 15:35:55.085][22188][warning][main] [source/server.cc:10] caught ENVOY_SIGTERM"
    )

    line = read_line("envoy", raw)

    local = datetime(2026, 11, 22, 15, 35, 55, 85_000).astimezone()
    assert datetime.fromisoformat(line.time) == local
    assert line.as_text().split() == [line.time, "envoy", "warning", "caught", "ENVOY_SIGTERM"]
    assert json.loads(line.as_json())["event"] == "caught ENVOY_SIGTERM"


def test_broken_json_is_text() -> None:
    """A line that was cut off is shown all the same."""
    line = read_line("torii", '{"event": "ser')

    assert '{"event": "ser' in line.as_text()
    assert json.loads(line.as_json())["service"] == "torii"


def test_plain_lines_stay_with_the_line_before_them() -> None:
    """Logs are merged by time, without tearing one apart."""
    early = [read_line("a", '{"timestamp": "1", "event": "x"}'), read_line("a", "plain")]
    late = [read_line("b", '{"timestamp": "2", "event": "y"}')]

    assert [line.facts["event"] for line in merged([late, early])] == ["x", "plain", "y"]
