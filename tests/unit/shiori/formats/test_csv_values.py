"""Which type a CSV column gets, and what its values become."""

import math
from pathlib import Path

import pytest

from shiori.domain.dataset import ColumnRole, ColumnType
from tests.unit.shiori.files import convert_csv, table_of


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2", "007", "+3", " 4 "], ColumnType.INT64),
        (["9223372036854775807", "-9223372036854775808"], ColumnType.INT64),
        (["9223372036854775808"], ColumnType.FLOAT64),
        (["1", "2.5"], ColumnType.FLOAT64),
        (["1e-3", "1E5", "+.5", "5.", "-1.5e+10"], ColumnType.FLOAT64),
        (["inf", "-inf", "Infinity", "+inf", "-INF"], ColumnType.FLOAT64),
        (["1", "", "3"], ColumnType.FLOAT64),
        (["", "NA"], ColumnType.FLOAT64),
        (["0x1F", "12"], ColumnType.STRING),
        (["1_000"], ColumnType.STRING),
        (["true", "false"], ColumnType.STRING),
        (["1", "two"], ColumnType.STRING),
        (["2026-01-02"], ColumnType.STRING),
        (["--1"], ColumnType.STRING),
        (["+-1"], ColumnType.STRING),
    ],
)
def test_type_follows_from_all_values(
    tmp_path: Path, values: list[str], expected: ColumnType
) -> None:
    """A column has the narrowest type that holds every value."""
    text = "x,y\n" + "".join(f"{value},0\n" for value in values)

    converted = convert_csv(tmp_path, text)

    assert expected == converted.columns[0].type


def test_one_text_in_the_last_row_makes_a_text_column(tmp_path: Path) -> None:
    """Types are found in the whole file, not only at its beginning."""
    text = "x,y\n" + "1,2\n" * 200_000 + "one,2\n"

    converted = convert_csv(tmp_path, text)

    assert [ColumnType.STRING, ColumnType.INT64] == [c.type for c in converted.columns]
    assert 200_001 == converted.row_count


def test_fraction_after_many_integers_makes_numbers_of_all(tmp_path: Path) -> None:
    """Integers seen before the first fraction are kept as numbers."""
    text = "x,y\n" + "7,2\n" * 200_000 + "0.5,2\n"

    table = table_of(tmp_path, text)

    assert (7.0, 0.5) == (table["x"][0], table["x"][-1])


@pytest.mark.parametrize("gap", ["", '""', "NA", "N/A", "null", "NULL", "nan", "NaN", " ", "None"])
def test_gap_in_numbers_is_nan_and_counted(tmp_path: Path, gap: str) -> None:
    """What people write for a missing number becomes NaN."""
    text = f"x,y\n1,0\n{gap},0\n2.5,0\n"

    converted = convert_csv(tmp_path, text)

    assert (ColumnType.FLOAT64, 1) == (
        converted.columns[0].type,
        converted.columns[0].missing_count,
    )
    values = table_of(tmp_path, text)["x"]
    assert (1.0, 2.5) == (values[0], values[2])
    assert math.isnan(values[1])


def test_only_the_empty_value_is_a_gap_in_text(tmp_path: Path) -> None:
    """NA may be a text like any other; an empty value stays empty and is counted."""
    text = "x,y\nNA,0\n,0\nnull,0\n"

    converted = convert_csv(tmp_path, text + "red,0\n")

    table = table_of(tmp_path, text + "red,0\n")
    assert ["NA", "", "null", "red"] == table["x"]
    assert 1 == converted.columns[0].missing_count


def test_infinities_stay_infinite_and_are_no_gaps(tmp_path: Path) -> None:
    """`inf` and its kin are values; whether to learn from them is the network's choice."""
    text = "x,y\ninf,0\n-inf,0\nInfinity,0\n1,0\n"

    converted = convert_csv(tmp_path, text)

    assert [math.inf, -math.inf, math.inf, 1.0] == table_of(tmp_path, text)["x"]
    assert 0 == converted.columns[0].missing_count


def test_roles_follow_from_type_and_target(tmp_path: Path) -> None:
    """Numbers are inputs, text is kept aside, and the target is the target whatever its type."""
    converted = convert_csv(tmp_path, "a,note,kind\n1,x,red\n2,y,blue\n", target="kind")

    assert [
        ("a", ColumnRole.INPUT),
        ("note", ColumnRole.OTHER),
        ("kind", ColumnRole.TARGET),
    ] == [(column.name, column.role) for column in converted.columns]


def test_exponents_are_exact(tmp_path: Path) -> None:
    """Numbers with exponents are the doubles that Python reads."""
    table = table_of(tmp_path, "x,y\n1e-3,0\n6.02214076E23,0\n-2.5e-300,0\n")

    assert [1e-3, 6.02214076e23, -2.5e-300] == table["x"]
