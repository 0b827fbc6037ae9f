"""Uploaded files to one stored table, whatever they are written in."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow.parquet as pq

from shiori.domain.announcement import DATA, Announcement
from shiori.domain.dataset import FileFormat
from shiori.formats import csv_file, idx
from shiori.ports import ConvertedTable


def convert(
    announcement: Announcement,
    files: Mapping[str, Path],
    table: Path,
    stopped: Callable[[], bool],
) -> ConvertedTable:
    """Convert; see `shiori.ports.Converter`."""
    if announcement.format is FileFormat.IDX:
        columns = idx.convert(files, table, stopped)
    else:
        columns = csv_file.convert(files[DATA], announcement.target_column, table, stopped)
    with table.open("rb") as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    return ConvertedTable(
        columns=tuple(columns),
        row_count=pq.read_metadata(table).num_rows,
        size_bytes=table.stat().st_size,
        sha256=sha256,
    )
