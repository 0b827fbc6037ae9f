"""Choosing rows and columns of a data set."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mesh.errors import InvalidArgument
from shiori.domain.dataset import DatasetName, RowRange, listed
from tests.contract.shiori.datasets import dataset


def test_columns_come_in_the_order_wanted() -> None:
    """Names choose columns in their own order; no names choose all."""
    iris = dataset()

    assert ["kind", "size"] == [c.name for c in iris.select_columns(["kind", "size"])]
    assert iris.columns == iris.select_columns([])


def test_unknown_column_is_refused_with_those_there_are() -> None:
    """The error names the field, the value and the columns."""
    with pytest.raises(InvalidArgument) as caught:
        dataset().select_columns(["size", "sort"])

    assert "columns[1]" == caught.value.violations[0].field
    assert {"field": "columns[1]", "value": "sort", "allowed": "size, kind"} == (
        caught.value.metadata
    )


@pytest.mark.parametrize(
    ("count", "problem"),
    [(3, "3 columns cannot be a matrix where 2 are read"), (2, "there is text in kind")],
)
def test_impossible_matrix_is_refused(count: int, problem: str) -> None:
    """A matrix needs so many columns, and numbers in all of them."""
    iris = dataset()

    with pytest.raises(InvalidArgument, match=problem) as caught:
        iris.check_matrix(iris.columns, count)

    assert "matrix_columns" == caught.value.violations[0].field


@pytest.mark.parametrize(
    ("start", "limit", "expected"),
    [
        (0, 0, RowRange(0, 150)),
        (0, 150, RowRange(0, 150)),
        (149, 0, RowRange(149, 1)),
        (100, 20, RowRange(100, 20)),
        (100, 51, RowRange(100, 50)),
        (0, 2**62, RowRange(0, 150)),
    ],
)
def test_rows_end_with_the_data_set(start: int, limit: int, expected: RowRange) -> None:
    """A limit is the most rows, not a promise of so many."""
    assert expected == dataset().select_rows(start, limit)


@pytest.mark.parametrize("start", [150, 2**62, -1])
def test_rows_outside_are_refused(start: int) -> None:
    """A first row that is not there is refused with those there are."""
    with pytest.raises(InvalidArgument) as caught:
        dataset().select_rows(start, 1)

    assert {"field": "start_row", "value": str(start), "allowed": "0 to 149"} == (
        caught.value.metadata
    )


def test_etag_tells_a_later_data_set_from_an_earlier_one() -> None:
    """Equal data under an equal name at another time has another etag."""
    earlier = dataset()
    later = replace(earlier, create_time=earlier.create_time + timedelta(microseconds=1))

    assert earlier.etag == replace(earlier).etag
    assert earlier.etag != later.etag


def test_many_names_are_listed_in_short() -> None:
    """An error about ten thousand columns stays readable."""
    names = [f"c{index}" for index in range(30)]

    assert listed(names).endswith("c19 and 10 more")
    assert "c0, c1" == listed(names[:2])


def test_name_is_taken_apart_and_put_together() -> None:
    """A resource name and its parts are the same thing."""
    name = DatasetName.parse("projects/flowers/datasets/iris")

    assert ("flowers", "iris") == (name.project_id, name.dataset_id)
    assert "projects/flowers/datasets/iris" == str(name)
