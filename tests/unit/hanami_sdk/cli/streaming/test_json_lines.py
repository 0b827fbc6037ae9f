"""JSON lines as rows: fields, arrays, gaps, and what is refused where."""

import json
import math
from typing import Any

import pytest

from hanami_sdk.cli.csv_rows import RowReader
from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.cli.row_batches import Row
from hanami_sdk.cli.row_layout import ColumnChoice
from hanami_sdk.cli.streaming.json_lines import JsonRecords
from hanami_sdk.cli.streaming.plot import bounds, sparkline


def rows_of(*values: Any, choice: ColumnChoice, skipped: list[str] | None = None) -> list[Row]:
    """Read values, each on a line of its own."""
    line = [0]

    def texts() -> Any:
        for value in values:
            line[0] += 1
            yield value if isinstance(value, str) else json.dumps(value)

    on_bad = None if skipped is None else lambda failure: skipped.append(failure.message)
    records = JsonRecords(choice, lambda: line[0], on_bad=on_bad)
    return list(RowReader(choice, on_bad=on_bad).read(records.read(texts())))


def test_fields_are_columns() -> None:
    """Objects within objects have paths; true is one; the label may be true as well."""
    choice = ColumnChoice(label="ok", time="at")
    value = {"at": 17, "motor": {"speed": 1.5, "on": True}, "load": None, "ok": True}

    (row,) = rows_of(value, choice=choice)

    assert [1.5, 1.0] == row.inputs[:2]
    assert math.isnan(row.inputs[2])
    assert ("true", 17 * 10**9) == (row.label, row.nanoseconds)


def test_an_array_is_a_row() -> None:
    """Its columns are called by their numbers."""
    rows = rows_of([1, 2, 3], [4, None, 6], choice=ColumnChoice(targets=("column3",)))

    assert [[3.0], [6.0]] == [row.targets for row in rows]
    assert [1.0, 2.0] == rows[0].inputs


def test_a_label_may_come_later() -> None:
    """The first line need not have it, and a missing field is a gap."""
    rows = rows_of({"a": 1, "b": 2}, {"a": 3, "is": "x"}, choice=ColumnChoice(label="is"))

    assert [None, "x"] == [row.label for row in rows]
    assert math.isnan(rows[1].inputs[1])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "Line 2 is not JSON"),
        ("7", "Line 2 is no object"),
        ({"a": 1, "c": 2}, "Line 2 has a field 'c'"),
        ({"a": [1]}, "Line 2, field 'a' is an array"),
        ({"a": "much"}, "Line 2, column 'a': 'much' is not a number"),
    ],
)
def test_a_bad_line_is_told_or_left_out(line: Any, words: str) -> None:
    """With its number; who skips bad lines gets the others."""
    choice, skipped = ColumnChoice(label="is"), list[str]()

    with pytest.raises(CommandFailure, match=words):
        rows_of({"a": 1}, line, choice=choice)
    rows = rows_of({"a": 1}, line, {"a": 3}, choice=choice, skipped=skipped)

    assert [[1.0], [3.0]] == [row.inputs for row in rows]
    assert len(skipped) == 1
    assert words in skipped[0]


def test_a_plot_shows_least_and_most() -> None:
    """What is not finite leaves a blank."""
    values = [0.0, 1.0, math.nan, 0.5]

    assert "▁█ ▅" == sparkline(values, low=0.0, high=1.0)
    assert (0.0, 1.0) == bounds(values, [])
    assert "▅" == sparkline([3.0], low=3.0, high=3.0)
