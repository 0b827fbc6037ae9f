"""CSV for streams: what is read, and what is refused where."""

import io
import math
import threading
from collections.abc import Iterator

import pytest

from hanami_sdk.cli.csv_rows import read_rows, text_lines
from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.cli.row_batches import Row, RowBatch, batches
from hanami_sdk.cli.row_layout import ColumnChoice
from hanami_sdk.gaps import GAPS

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


def test_gaps_are_the_same_as_in_uploads() -> None:
    """A file that can be uploaded can be streamed."""
    from shiori.formats import csv_values

    assert set(csv_values.GAPS) == GAPS
    rows = rows_of("a,b,c\nNA,null, N/A \n")
    assert all(math.isnan(value) for value in rows[0].inputs)


def test_rows_without_a_label_are_not_taught() -> None:
    """Neither an empty label nor a gap among the targets is a mistake."""
    labels = rows_of("a,b\n1,\n2,x\n", ColumnChoice(label="b"))
    targets = rows_of("a,b\n1,NA\n2,3\n", ColumnChoice(targets=("b",)))

    assert [row.is_taught for row in labels] == [False, True]
    assert [row.is_taught for row in targets] == [False, True]


def test_a_batch_is_taught_as_a_whole() -> None:
    """Rows without a label travel in batches of their own, in order."""
    source = read_rows(["a,b\n", "1,x\n", "2,y\n", "3,\n", "4,x\n"], ColumnChoice(label="b"))

    found = [batch for batch in batches(source, size=64, pause=60) if batch is not None]

    assert [(b.inputs.tolist(), b.labels) for b in found] == [
        ([[1], [2]], ["x", "y"]),
        ([[3]], None),
        ([[4]], ["x"]),
    ]


def test_the_header_has_to_fit_the_network() -> None:
    """The columns that would be fed are named before anything is sent."""
    lines = ["a,b,c\n", "1,2,3\n"]

    with pytest.raises(CommandFailure) as narrow:
        list(read_rows(lines, ColumnChoice(label="c"), channels=3))
    with pytest.raises(CommandFailure) as wide:
        list(read_rows(lines, ColumnChoice(), channels=2))

    assert narrow.value.message == ("The network has 3 channels, but 2 columns would be fed: a, b.")
    assert "--ignore" in wide.value.hint
    assert len(list(read_rows(lines, ColumnChoice(label="c"), channels=2))) == 1


@pytest.mark.parametrize(
    ("text", "encoding", "words"),
    [
        ("a\nf\xfcr\n", "latin-1", "Line 2 is not text in UTF-8 (byte 0xfc after 1 others)"),
        ("a\n1\n", "utf-16", "Line 1 is not text in UTF-8; it looks like UTF-16"),
        ("a\n1\n", "utf-16-le", "it looks like UTF-16"),
    ],
)
def test_other_encodings_are_told(text: str, encoding: str, words: str) -> None:
    """The line is named, and a command that converts the file."""
    with pytest.raises(CommandFailure) as caught:
        list(text_lines(io.BytesIO(text.encode(encoding))))

    assert words in caught.value.message
    assert "iconv" in caught.value.hint


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    """Spreadsheets put one before UTF-8."""
    assert list(text_lines(io.BytesIO("a\n\u00e9\n".encode("utf-8-sig")))) == ["a\n", "\u00e9\n"]


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
