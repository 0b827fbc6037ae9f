"""Builders of data sets for the tests of shiori."""

from typing import Any

from shiori.domain.dataset import (
    Column,
    ColumnRole,
    ColumnType,
    Dataset,
    DatasetName,
    FileFormat,
)
from tests.factories import NOON


def dataset(project_id: str = "flowers", dataset_id: str = "iris", **changes: Any) -> Dataset:
    """Return a data set; changes are fields of it."""
    values: dict[str, Any] = {
        "name": DatasetName(project_id, dataset_id),
        "format": FileFormat.CSV,
        "columns": (
            Column("size", ColumnType.FLOAT64, ColumnRole.INPUT, missing_count=2),
            Column("kind", ColumnType.STRING, ColumnRole.TARGET),
        ),
        "row_count": 150,
        "size_bytes": 4321,
        "sha256": "a" * 64,
        "create_time": NOON,
        "creator": "users/alice",
    }
    return Dataset(**(values | changes))
