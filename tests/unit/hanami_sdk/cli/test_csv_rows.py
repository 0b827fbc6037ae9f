"""CSV for streams: what is read, and what is refused where."""

import math
import threading
from collections.abc import Iterator

import pytest

from hanami_sdk.cli.csv_rows import ColumnChoice, Row, RowBatch, batches, read_rows
from hanami_sdk.cli.failures import CommandFailure

IRIS = ["width,length,species\n", "1.5,2,setosa\n", "0.5,-3e2,virginica\n"]


def rows_of(text: str, choice: ColumnChoice | None = None) -> list[Row]:
    """Read a whole text."""
    return list(read_rows(text.splitlines(keepends=True), choice or ColumnChoice()))


def test_columns_are_inputs_unless_they_are_something_else() -> None:
    """The label is not fed; exponents and signs are numbers."""
    rows = list(read_rows(IRIS, ColumnChoice(label="species")))

    assert [row.inputs for row in rows] == [[1.5, 2.0], [0.5, -300.0]]
    assert [row.label for row in rows] == ["setosa", "virginica"]
    assert [row.line for row in rows] == [2, 3]


def test_targets_are_numbers_and_ignored_columns_are_gone() -> None:
    """Several targets keep their order."""
    choice = ColumnChoice(targets=("b", "a"), ignored=("note",))

    rows = rows_of("a,b,note,x\n1,2,hello,3\n", choice)

    assert (rows[0].inputs, rows[0].targets, rows[0].label) == ([3.0], [2.0, 1.0], None)


def test_a_gap_is_a_missing_value() -> None:
    """An empty cell is NaN, and its neighbours are read."""
    rows = rows_of("a,b\n1,\n ,2\n")

    assert rows[0].inputs[0] == 1.0
    assert math.isnan(rows[0].inputs[1])
    assert math.isnan(rows[1].inputs[0])


def test_quotes_protect_commas() -> None:
    """RFC 4180: a quoted cell may hold the delimiter and line ends."""
    rows = rows_of('"a,1",b\n"1","two\nlines"\n', ColumnChoice(label="b"))

    assert (rows[0].inputs, rows[0].label) == ([1.0], "two\nlines")


def test_a_single_column_and_empty_lines_are_fine() -> None:
    """Nothing needs a delimiter."""
    assert [row.inputs for row in rows_of("a\n1\n\n2\n")] == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("text", "choice", "words"),
    [
        ("", ColumnChoice(), "empty"),
        ("1,2\n3,4\n", ColumnChoice(), "not column names"),
        ("a,a\n1,2\n", ColumnChoice(), "Two columns are called 'a'"),
        ("a,\n1,2\n", ColumnChoice(), "Column 2 has no name"),
        ("a,b\n1\n", ColumnChoice(), "Line 2 has 1 columns, the header line 2"),
        ("a,b\n1,x\n", ColumnChoice(), "Line 2, column 'b': 'x' is not a number"),
        ("a\n1_000\n", ColumnChoice(), "'1_000' is not a number"),
        ('a\n"1\n', ColumnChoice(), "not CSV"),
        ("a,b\n1,2\n", ColumnChoice(label="c"), "no column 'c'"),
        ("a\n1\n", ColumnChoice(label="a"), "No column is left"),
        ("a,b\n1,\n", ColumnChoice(label="b"), "Line 2 has no label"),
        ("a,b\n1,\n", ColumnChoice(targets=("b",)), "Line 2 has no number to learn"),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, choice: ColumnChoice, words: str) -> None:
    """The first mistake ends the reading, and says where it is."""
    with pytest.raises(CommandFailure) as caught:
        rows_of(text, choice)

    assert words in caught.value.message


def test_rows_travel_in_batches() -> None:
    """Every row is in one batch; the last one may be short."""
    source = read_rows(["a\n", *(f"{n}\n" for n in range(5))], ColumnChoice())

    found = [batch for batch in batches(source, size=2, pause=60) if batch is not None]

    assert [batch.inputs.tolist() for batch in found] == [[[0], [1]], [[2], [3]], [[4]]]


def test_a_pausing_source_is_not_kept_waiting() -> None:
    """What has come goes out, though the batch is not full."""
    may_go_on = threading.Event()

    def source() -> Iterator[Row]:
        yield Row(2, [1.0], None, [])
        may_go_on.wait(10)
        yield Row(3, [2.0], None, [])

    found: list[RowBatch | None] = []
    for batch in batches(source(), size=64, pause=0.01):
        found.append(batch)
        if batch is None:
            may_go_on.set()

    assert [batch.inputs.tolist() if batch else None for batch in found] == [
        [[1.0]],
        None,
        [[2.0]],
    ]


def test_rows_before_a_mistake_are_handed_out() -> None:
    """A mistake far down does not undo what came before."""
    source = read_rows(["a\n", "1\n", "x\n"], ColumnChoice())
    found: list[RowBatch | None] = []

    with pytest.raises(CommandFailure, match="Line 3"):
        found.extend(batches(source, size=64, pause=60))

    assert [batch.inputs.tolist() for batch in found if batch] == [[[1.0]]]
