"""Files to convert, and tables as plain Python values."""

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shiori.domain.announcement import Announcement
from shiori.domain.dataset import Column, DatasetName, FileFormat, RowRange
from shiori.formats.conversion import convert
from shiori.formats.parquet import ParquetTable
from shiori.ports import ConvertedTable

NAME = DatasetName("flowers", "iris")


def never() -> bool:
    """Stand in for a conversion that nobody stops."""
    return False


def convert_csv(
    folder: Path,
    text: str | bytes,
    *,
    target: str = "",
    stopped: Callable[[], bool] = never,
) -> ConvertedTable:
    """Convert a CSV file; the table is `table.parquet` in the folder."""
    path = folder / "data.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    announcement = Announcement(NAME, FileFormat.CSV, (), target)
    return convert(announcement, {"data": path}, folder / "table.parquet", stopped)


def convert_idx(
    folder: Path, images: bytes, labels: bytes, *, stopped: Callable[[], bool] = never
) -> ConvertedTable:
    """Convert two IDX files; the table is `table.parquet` in the folder."""
    files = {"images": folder / "images", "labels": folder / "labels"}
    files["images"].write_bytes(images)
    files["labels"].write_bytes(labels)
    announcement = Announcement(NAME, FileFormat.IDX, ())
    return convert(announcement, files, folder / "table.parquet", stopped)


def idx_images(rows: int = 5, height: int = 2, width: int = 3) -> bytes:
    """Return an IDX file of images whose bytes count up."""
    pixels = (np.arange(rows * height * width) % 256).astype(np.uint8)
    return struct.pack(">4I", 0x803, rows, height, width) + pixels.tobytes()


def idx_labels(rows: int = 5) -> bytes:
    """Return an IDX file of labels from 0 to 9."""
    return struct.pack(">2I", 0x801, rows) + (np.arange(rows) % 10).astype(np.uint8).tobytes()


def rows_of(
    folder: Path, columns: Sequence[Column], start: int, count: int
) -> dict[str, list[Any]]:
    """Return rows of the converted table: texts, numbers, or lists of numbers, by column."""
    values: dict[str, list[Any]] = {column.name: [] for column in columns}
    with (folder / "table.parquet").open("rb") as source:
        for batch in ParquetTable(source).batches(columns, RowRange(start, count)):
            for column in batch.columns:
                items = column.values
                if isinstance(items, np.ndarray):
                    items = items.ravel().tolist() if items.shape[1] == 1 else items.tolist()
                values[column.name].extend(items)
    return values


def table_of(folder: Path, text: str | bytes, *, target: str = "") -> dict[str, list[Any]]:
    """Convert a CSV file and return all its rows by column."""
    converted = convert_csv(folder, text, target=target)
    return rows_of(folder, converted.columns, 0, converted.row_count)
