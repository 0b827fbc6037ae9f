"""CSV written by Python's own writer comes back; any range of rows is the right one."""

import csv
import io
import math
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.errors import DomainError
from tests.unit.shiori.files import convert_csv, rows_of, table_of

_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
_NUMBERS = st.floats(allow_nan=False)
_INTEGERS = st.integers(-(2**63), 2**63 - 1)


def written(columns: dict[str, list[Any]], line_end: str) -> str:
    """Return columns of equal length as CSV."""
    # Python's writer forgets the quotes around a lone CR when lines end with LF.
    quoting = csv.QUOTE_MINIMAL if line_end == "\r\n" else csv.QUOTE_NONNUMERIC
    target = io.StringIO()
    writer = csv.writer(target, lineterminator=line_end, quoting=quoting)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return target.getvalue()


@st.composite
def _tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    count = draw(st.integers(1, 20))
    return {
        name: draw(st.lists(values, min_size=count, max_size=count))
        for name, values in (("i", _INTEGERS), ("n", _NUMBERS), ("t", _TEXTS))
    }


@settings(max_examples=50, deadline=None)
@given(table=_tables(), line_end=st.sampled_from(["\n", "\r\n"]))
def test_table_survives_the_round_trip(table: dict[str, list[Any]], line_end: str) -> None:
    """Integers, numbers and texts of any kind come back as they were."""
    # A text that reads as a number would make a column of numbers, if all do.
    table = {name: [*values, 0] for name, values in table.items()}
    table["t"][-1] = "text"

    with tempfile.TemporaryDirectory() as folder:
        actual = table_of(Path(folder), written(table, line_end))

    assert table == actual


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.one_of(st.none(), _NUMBERS), min_size=1, max_size=30))
def test_gaps_survive_in_a_single_column(values: list[float | None]) -> None:
    """Every gap of a single column is a row, and is counted."""
    text = "n\n" + "".join("\n" if value is None else f"{value!r}\n" for value in values)

    with tempfile.TemporaryDirectory() as folder:
        converted = convert_csv(Path(folder), text)
        actual = rows_of(Path(folder), converted.columns, 0, converted.row_count)["n"]

    expected = ["gap" if value is None else value for value in values]
    assert expected == ["gap" if math.isnan(value) else value for value in actual]
    assert expected.count("gap") == converted.columns[0].missing_count


@settings(max_examples=50, deadline=None)
@given(count=st.integers(1, 300), data=st.data())
def test_any_range_of_rows_is_the_right_one(count: int, data: st.DataObject) -> None:
    """A range holds its rows in order, however they lie in the file."""
    start = data.draw(st.integers(0, count - 1))
    length = data.draw(st.integers(1, count - start))
    text = "a,b\n" + "".join(f"{index},t{index}\n" for index in range(count))

    with tempfile.TemporaryDirectory() as folder:
        converted = convert_csv(Path(folder), text)
        actual = rows_of(Path(folder), converted.columns[::-1], start, length)

    indices = range(start, start + length)
    assert {"b": [f"t{index}" for index in indices], "a": list(indices)} == actual


@settings(max_examples=50, deadline=None)
@given(noise=st.text(st.sampled_from('ab1,"\n\r; '), max_size=60))
def test_any_text_is_read_or_refused(noise: str) -> None:
    """No arrangement of commas, quotes and line ends brings the conversion down."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            outcome = convert_csv(Path(folder), "h,k\n" + noise).row_count
        except DomainError as error:
            outcome = error.reason

    assert outcome == "FILE_MALFORMED" or (isinstance(outcome, int) and outcome > 0)
