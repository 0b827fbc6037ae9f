"""CSV files that are read, and those that are refused with the place of the mistake."""

import math
from pathlib import Path

import pytest

from mesh.errors import InvalidArgument, ResourceExhausted
from shiori.formats.csv_structure import BLOCK_BYTES, MAX_RECORD_BYTES
from shiori.formats.malformed import ConversionStopped
from tests.unit.shiori.files import convert_csv, table_of


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n3,4\n",
        "a,b\n1,2\n3,4",
        "a,b\r\n1,2\r\n3,4\r\n",
        "\ufeffa,b\n1,2\n3,4\n",
        "\n\na,b\n\n1,2\n\r\n3,4\n\n",
        ' a , b \n"1",2\n 3,"4"\n',
        '"a","b"\r\n"1","2"\r\n"3","4"\r\n',
    ],
)
def test_ways_to_write_the_same_table(tmp_path: Path, text: str) -> None:
    """Line ends, byte order mark, quotes, spaces and empty lines do not matter."""
    table = table_of(tmp_path, text)

    assert {"a": [1, 3], "b": [2, 4]} == table


def test_quoted_values_hold_commas_lines_and_quotes(tmp_path: Path) -> None:
    """A value in quotes is one value, whatever is in it."""
    table = table_of(tmp_path, 'a,"b,\nc"\n"x, ""y""\r\nz",1\n"""",2\n"",3\n')

    assert {"a": ['x, "y"\r\nz', '"', ""], "b,\nc": [1, 2, 3]} == table


def test_empty_line_is_a_gap_in_a_single_column(tmp_path: Path) -> None:
    """With one column an empty line is a row without a value."""
    table = table_of(tmp_path, "a\n1\n\n3\n")

    assert [1.0, 3.0] == [value for value in table["a"] if not math.isnan(value)]
    assert 3 == len(table["a"])


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_single_column(tmp_path: Path, ending: str) -> None:
    """One column needs no comma anywhere."""
    table = table_of(tmp_path, f"a\n1\n2{ending}")

    assert {"a": [1, 2]} == table


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("a,b\n1,2\n3\n", {"line": "3", "column": "b"}, "1 values"),
        ("a,b\n1,2,3\n", {"line": "2", "column": "3"}, "3 values"),
        ('a,b\n"x\ny",2\n3\n', {"line": "4", "column": "b"}, "1 values"),
        ("a,b\n\n\n1\n", {"line": "4", "column": "b"}, "1 values"),
        ("1,2\n3,4\n", {"line": "1"}, "header line"),
        ("5.1\n4.9\n", {"line": "1"}, "header line"),
        ("-1.5e3,,2\n3,4,5\n", {"line": "1"}, "header line"),
        ("a,,c\n1,2,3\n", {"line": "1", "column": "2"}, "no name"),
        ("a,b,a\n1,2,3\n", {"line": "1", "column": "3"}, "'a'"),
        ("a, a\n1,2\n", {"line": "1", "column": "2"}, "'a'"),
        ("a" * 257 + ",b\n1,2\n", {"line": "1", "column": "1"}, "longer than 256"),
        ("a,b\n", {"line": "2"}, "no rows"),
        ("a,b", {"line": "2"}, "no rows"),
        ("a,b\n\n\n", {"line": "4"}, "no rows"),
        ("\n\n", {"line": "1"}, "no header"),
        ("\ufeff", {"line": "1"}, "no header"),
        ("a;b\n1;2\n", {"line": "1"}, "semicolons"),
        ("a\tb\n1\t2\n", {"line": "1"}, "tabs"),
        ('a,b\n1,x"y\n', {"line": "2"}, "quote"),
        ('a,b\n1,"x"y\n', {"line": "2"}, "quote"),
        ('a,b\n1,2\n3,"x\ny,4\n', {"line": "3"}, "never closed"),
        ('a,b\n1,2\n3,"x""\ny,4\n', {"line": "3"}, "never closed"),
        ("a\r1\r2\r", {"line": "1"}, "CR alone"),
        ("a,b\n1,2\r3,4\n", {"line": "2"}, "CR alone"),
        (b"a,b\n1,2\n\xff,4\n", {"line": "3"}, "UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), {"line": "1"}, "UTF-16"),
        (b"a,b\n1,\xe2\x82", {"line": "2"}, "UTF-8"),
        (b"a,b\n1,\0\n", {"line": "2"}, "NUL"),
        (b"\x1f\x8b\x08\x00", {}, "gzip"),
        (b"PK\x03\x04....", {}, "zip"),
    ],
)
def test_malformed_file_is_refused_with_its_place(
    tmp_path: Path, text: str | bytes, where: dict[str, str], said: str
) -> None:
    """Every mistake is told in words, with line and column where there are any."""
    with pytest.raises(InvalidArgument) as caught:
        convert_csv(tmp_path, text)

    assert "FILE_MALFORMED" == caught.value.reason
    assert {"file": "data", **where} == caught.value.metadata
    assert said in caught.value.message


@pytest.mark.parametrize("shift", [0, 1, 2, 3, 5])
def test_mistake_far_in_the_file_has_its_line(tmp_path: Path, shift: int) -> None:
    """Lines are counted across the blocks in which a file is read."""
    rows = BLOCK_BYTES // 8 * 3
    text = "a,b\n" + " " * shift + "1234,10\n" * rows + "1\n"

    with pytest.raises(InvalidArgument) as caught:
        convert_csv(tmp_path, text)

    assert str(rows + 2) == caught.value.metadata["line"]


@pytest.mark.parametrize("shift", range(6))
def test_quotes_and_line_ends_may_lie_across_blocks(tmp_path: Path, shift: int) -> None:
    """A value that begins in one block and ends in the next is read whole."""
    value = 'é""x\r\n,'
    before = "a,b\r\n0," + "y" * (BLOCK_BYTES // 2) + '\r\n1,"'
    filler = "x" * (BLOCK_BYTES - len(before) - 3 - shift)
    text = f'{before}{filler}{value}"\r\n2,y\r\n'

    table = table_of(tmp_path, text)

    assert [filler + value.replace('""', '"'), "y"] == table["b"][1:]
    assert [0, 1, 2] == table["a"]


def test_longest_rows_are_read(tmp_path: Path) -> None:
    """Rows of exactly the limit follow each other without trouble."""
    long = "x" * (MAX_RECORD_BYTES - len('7,""'))
    text = "a,b\n" + f'7,"{long}"\n' * 5

    table = table_of(tmp_path, text)

    assert {"a": [7] * 5, "b": [long] * 5} == table


def test_row_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    """No row may be longer than the limit, so that memory stays bounded."""
    text = "a,b\n1,2\n" + "x" * (MAX_RECORD_BYTES + 10) + ",2\n"

    with pytest.raises(ResourceExhausted) as caught:
        convert_csv(tmp_path, text)

    assert "LIMIT_REACHED" == caught.value.reason
    assert str(MAX_RECORD_BYTES) == caught.value.metadata["limit"]


def test_quote_that_swallows_the_file_has_the_line_where_it_opens(tmp_path: Path) -> None:
    """A forgotten closing quote is found without reading the whole file into memory."""
    text = 'a,b\n1,2\n3,"x\n' + "1,2\n" * (MAX_RECORD_BYTES // 2)

    with pytest.raises(InvalidArgument) as caught:
        convert_csv(tmp_path, text)

    assert "3" == caught.value.metadata["line"]
    assert "a quote is opened" in caught.value.message


def test_too_many_columns_are_refused(tmp_path: Path) -> None:
    """A table has ten thousand columns at most."""
    text = ",".join(f"c{index}" for index in range(10_001)) + "\n"

    with pytest.raises(ResourceExhausted) as caught:
        convert_csv(tmp_path, text)

    assert {"limit": "10000", "actual": "10001"} == caught.value.metadata


def test_target_has_to_be_a_column(tmp_path: Path) -> None:
    """A target that is no column is refused with the names of those that are."""
    with pytest.raises(InvalidArgument) as caught:
        convert_csv(tmp_path, "a,b\n1,2\n", target="c")

    assert "open.target_column" == caught.value.violations[0].field
    assert "a, b" == caught.value.metadata["allowed"]


def test_stopped_conversion_ends(tmp_path: Path) -> None:
    """A conversion that nobody waits for ends at the next block."""
    with pytest.raises(ConversionStopped):
        convert_csv(tmp_path, "a,b\n1,2\n", stopped=lambda: True)
