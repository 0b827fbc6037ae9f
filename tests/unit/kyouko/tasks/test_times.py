"""Times in data sets."""

import numpy as np
import pytest

from hanami_sdk.event_times import parse_time
from kyouko.domain.tasks.times import times_of
from kyouko.ports import ColumnValues
from mesh.errors import InvalidArgument

NOON = 1_777_636_800_000_000_000
TEXTS = {
    "2026-05-01T12:00:00Z": NOON,
    "2026-05-01 12:00": NOON,
    "2026-05-01T14:00:00.000001+02:00": NOON + 1000,
    "1969-12-31": -86_400 * 10**9,
    "1777636800.25": NOON + 250_000_000,
    "-0.5": -500_000_000,
    "1777636800000": NOON,
    "1777636800000000": NOON,
    "1777636800000000001": NOON + 1,
}


def test_texts_are_read_as_the_clients_read_them() -> None:
    """ISO 8601 with and without a zone, and numbers of all units."""
    found = times_of(ColumnValues(None, list(TEXTS)), 0)

    assert list(TEXTS.values()) == found.tolist() == [parse_time(text) for text in TEXTS]


def test_numbers_keep_all_their_digits() -> None:
    """Nanoseconds in an integer column are what they are; seconds may have fractions."""
    whole = np.array([[NOON + 1], [NOON // 10**9]])
    broken = np.array([[1777636800.25]])

    assert [NOON + 1, NOON] == times_of(ColumnValues(whole), 0).tolist()
    assert [NOON + 250_000_000] == times_of(ColumnValues(broken), 0).tolist()


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        (ColumnValues(None, ["2026-05-01", "noon"]), "row 8 holds 'noon'"),
        (ColumnValues(None, ["2026-05-01", ""]), "row 8 has no time"),
        (ColumnValues(np.array([[1.0], [np.nan]])), "row 8 has no time"),
        (ColumnValues(np.array([[1.0], [np.inf]])), "row 8 holds 'inf'"),
        (ColumnValues(np.array([[1.0], [9.9e10]])), "row 8 holds '99000000000.0'"),
        (ColumnValues(np.array([[1.0], [1e300]])), "row 8 holds '1e.300'"),
    ],
)
def test_what_is_no_time_is_named(column: ColumnValues, problem: str) -> None:
    """The error has the number of the row in the data set."""
    with pytest.raises(InvalidArgument, match=problem) as refused:
        times_of(column, 7)

    assert ("time_column", "8") == (refused.value.metadata["field"], refused.value.metadata["row"])
