"""Shiori's ports in memory, for tests of the domain; the contract suite keeps them honest."""

import io
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence, Set
from dataclasses import replace
from pathlib import Path

from mesh.errors import AlreadyExists, stale_etag
from mesh.visibility import Sight, Visibility
from shiori.domain.dataset import Column, Dataset, DatasetEntry, DatasetName, RowRange
from shiori.domain.rows import RowBatch
from shiori.formats.parquet import ParquetTable
from shiori.ports import StoredBytes, TableReader


class InMemoryDatasets:
    """Keeps data sets in a dictionary."""

    def __init__(self) -> None:
        self._datasets: dict[DatasetName, Dataset] = {}

    async def add(self, dataset: Dataset) -> None:
        """Make a data set visible."""
        if dataset.name in self._datasets:
            raise AlreadyExists(str(dataset.name))
        self._datasets[dataset.name] = dataset

    async def entry(self, name: DatasetName) -> DatasetEntry | None:
        """Return who may know of a data set, or None."""
        dataset = self._datasets.get(name)
        return None if dataset is None else DatasetEntry(name, dataset.etag, dataset.belonging)

    async def get(self, name: DatasetName) -> Dataset | None:
        """Return a data set, or None."""
        return self._datasets.get(name)

    async def list(
        self, project_id: str, *, sight: Sight, after: str, limit: int
    ) -> Sequence[Dataset]:
        """Return data sets of a project in the order of their ids."""
        found = [
            dataset
            for name, dataset in self._datasets.items()
            if name.project_id == project_id
            and name.dataset_id > after
            and sight.shows(dataset.belonging)
        ]
        return sorted(found, key=lambda dataset: dataset.name.dataset_id)[:limit]

    async def projects(self) -> Set[str]:
        """Return the projects that have data sets."""
        return {name.project_id for name in self._datasets}

    async def set_visibility(self, name: DatasetName, visibility: Visibility, *, etag: str) -> bool:
        """Store who may know of the data set of this etag."""
        dataset = self._datasets.get(name)
        if dataset is None or dataset.etag != etag:
            return False
        self._datasets[name] = replace(dataset, visibility=visibility)
        return True

    async def delete(self, name: DatasetName, *, etag: str) -> Dataset | None:
        """Remove a data set and return it; None when there is none."""
        dataset = self._datasets.get(name)
        if dataset is None:
            return None
        if etag and etag != dataset.etag:
            raise stale_etag(str(name), etag)
        return self._datasets.pop(name)

    async def sizes(self) -> Sequence[StoredBytes]:
        """Return how much each owner has in each project."""
        sizes = Counter[tuple[str, str]]()
        for dataset in self._datasets.values():
            sizes[dataset.name.project_id, dataset.owner] += dataset.size_bytes
        return [StoredBytes(*who, size) for who, size in sorted(sizes.items())]

    async def refers_to(self, sha256: str) -> bool:
        """Return whether any data set has this table."""
        return any(dataset.sha256 == sha256 for dataset in self._datasets.values())


class InMemoryTables:
    """Keeps tables as bytes."""

    def __init__(self) -> None:
        self.tables: dict[str, bytes] = {}

    async def put(self, sha256: str, table: Path) -> None:
        """Store a table."""
        self.tables[sha256] = _content(table)

    def open(self, sha256: str) -> TableReader:
        """Open a table."""
        return _InMemoryReader(self, sha256)

    async def delete(self, sha256: str) -> None:
        """Remove a table."""
        self.tables.pop(sha256, None)

    async def names(self) -> AsyncIterator[str]:
        """Yield the names of all tables."""
        for sha256 in list(self.tables):
            yield sha256


class _InMemoryReader:
    """Like an object store, it fetches the bytes anew for every read."""

    def __init__(self, tables: InMemoryTables, sha256: str) -> None:
        if sha256 not in tables.tables:
            raise FileNotFoundError(sha256)
        self._tables = tables
        self._sha256 = sha256

    def batches(
        self, columns: Sequence[Column], rows: RowRange, *, matrix_columns: int = 0
    ) -> Iterator[RowBatch]:
        """Read rows in order."""
        table = ParquetTable(io.BytesIO(self._tables.tables[self._sha256]))
        return table.batches(columns, rows, matrix_columns=matrix_columns)


def _content(path: Path) -> bytes:
    return path.read_bytes()
