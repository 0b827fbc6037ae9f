"""Data sets in SQL; see `shiori.ports.DatasetRepository` for what each method promises."""

import asyncio
import json
from collections.abc import Sequence, Set
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Row,
    Text,
    cast,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from mesh.database import Database
from mesh.errors import AlreadyExists, stale_etag
from mesh.owned_rows import in_sight
from mesh.visibility import Belonging, Sight, Visibility
from shiori.domain.dataset import (
    Column,
    ColumnRole,
    ColumnType,
    Dataset,
    DatasetEntry,
    DatasetName,
    FileFormat,
)
from shiori.ports import StoredBytes
from shiori.storage.models import DatasetRow

# Columns as text take about a hundred characters each, and a microsecond for every ten.
_DECODED_AT_ONCE: Final = 20_000
_ENTRY: Final = (
    DatasetRow.project_id,
    DatasetRow.etag,
    DatasetRow.create_time,
    DatasetRow.owner,
    DatasetRow.owner_since,
    DatasetRow.visibility,
)
_WHOLE: Final = (
    *_ENTRY,
    DatasetRow.dataset_id,
    DatasetRow.format,
    # As it is stored: what is wide is not decoded by the driver, in the loop.
    cast(DatasetRow.columns, Text).label("columns_text"),
    DatasetRow.row_count,
    DatasetRow.size_bytes,
    DatasetRow.sha256,
    DatasetRow.creator,
)


class SqlDatasets:
    """Keeps what is known of data sets in shiori's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, dataset: Dataset) -> None:
        """Make a data set visible."""
        row = DatasetRow(
            project_id=dataset.name.project_id,
            dataset_id=dataset.name.dataset_id,
            format=dataset.format.value,
            columns=[_stored(column) for column in dataset.columns],
            row_count=dataset.row_count,
            size_bytes=dataset.size_bytes,
            sha256=dataset.sha256,
            create_time=dataset.create_time,
            creator=dataset.creator,
            etag=dataset.etag,
            owner=dataset.owner,
            owner_since=dataset.owner_since,
            visibility=dataset.visibility.value,
        )
        try:
            async with self._database.session() as session:
                session.add(row)
        except IntegrityError as error:
            raise AlreadyExists(str(dataset.name)) from error

    async def get(self, name: DatasetName) -> Dataset | None:
        """Return a data set, or None."""
        query = select(*_WHOLE).where(*_is(name))
        async with self._database.session() as session:
            row = (await session.execute(query)).one_or_none()
        return None if row is None else (await _datasets([row]))[0]

    async def entry(self, name: DatasetName) -> DatasetEntry | None:
        """Return who may know of a data set, or None; its columns stay where they are."""
        query = select(*_ENTRY).where(*_is(name))
        async with self._database.session() as session:
            row = (await session.execute(query)).one_or_none()
        return None if row is None else DatasetEntry(name, row.etag, _belonging(row))

    async def list(
        self, project_id: str, *, sight: Sight, after: str, limit: int
    ) -> Sequence[Dataset]:
        """Return data sets of a project in the order of their ids."""
        query = (
            select(*_WHOLE)
            .where(
                DatasetRow.project_id == project_id,
                DatasetRow.dataset_id > after,
                in_sight(DatasetRow, sight),
            )
            .order_by(DatasetRow.dataset_id)
            .limit(limit)
        )
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        return await _datasets(rows)

    async def projects(self) -> Set[str]:
        """Return the projects that have data sets."""
        query = select(DatasetRow.project_id).distinct()
        async with self._database.session() as session:
            return set(await session.scalars(query))

    async def set_visibility(self, name: DatasetName, visibility: Visibility, *, etag: str) -> bool:
        """Store who may know of the data set of this etag."""
        change = (
            update(DatasetRow)
            .where(*_is(name), DatasetRow.etag == etag)
            .values(visibility=visibility.value)
            .returning(DatasetRow.dataset_id)
        )
        async with self._database.session() as session:
            return await session.scalar(change) is not None

    async def delete(self, name: DatasetName, *, etag: str) -> Dataset | None:
        """Remove a data set and return it; None when there is none."""
        statement = delete(DatasetRow).where(*_is(name))
        if etag:
            statement = statement.where(DatasetRow.etag == etag)
        async with self._database.session() as session:
            row = (await session.execute(statement.returning(*_WHOLE))).one_or_none()
            if row is None and await session.scalar(select(exists().where(*_is(name)))):
                raise stale_etag(str(name), etag)
        return None if row is None else (await _datasets([row]))[0]

    async def sizes(self) -> Sequence[StoredBytes]:
        """Return how much each owner has in each project."""
        by = (DatasetRow.project_id, DatasetRow.owner)
        query = select(*by, func.sum(DatasetRow.size_bytes)).group_by(*by).order_by(*by)
        async with self._database.session() as session:
            rows = await session.execute(query)
            return [StoredBytes(project, owner, int(size)) for project, owner, size in rows]

    async def refers_to(self, sha256: str) -> bool:
        """Return whether any data set has this table."""
        query = select(exists().where(DatasetRow.sha256 == sha256))
        async with self._database.session() as session:
            return bool(await session.scalar(query))


def _is(name: DatasetName) -> Sequence[ColumnElement[bool]]:
    return (
        DatasetRow.project_id == name.project_id,
        DatasetRow.dataset_id == name.dataset_id,
    )


def _stored(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type.value,
        "role": column.role.value,
        "width": column.width,
        "missing_count": column.missing_count,
    }


def _column(stored: dict[str, Any]) -> Column:
    return Column(
        name=stored["name"],
        type=ColumnType(stored["type"]),
        role=ColumnRole(stored["role"]),
        width=stored["width"],
        missing_count=stored["missing_count"],
    )


async def _datasets(rows: Sequence[Row[*tuple[Any, ...]]]) -> Sequence[Dataset]:
    """Return the data sets in rows; wide ones are decoded beside the loop."""
    if sum(len(row.columns_text) for row in rows) <= _DECODED_AT_ONCE:
        return [_dataset(row) for row in rows]
    return await asyncio.to_thread(lambda: [_dataset(row) for row in rows])


def _belonging(row: Row[*tuple[Any, ...]]) -> Belonging:
    visibility = Visibility(row.visibility)
    return Belonging(row.project_id, row.create_time, row.owner, row.owner_since, visibility)


def _dataset(row: Row[*tuple[Any, ...]]) -> Dataset:
    return Dataset(
        name=DatasetName(row.project_id, row.dataset_id),
        format=FileFormat(row.format),
        columns=tuple(_column(stored) for stored in json.loads(row.columns_text)),
        row_count=row.row_count,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        create_time=row.create_time,
        creator=row.creator,
        owner=row.owner,
        owner_since=row.owner_since,
        visibility=Visibility(row.visibility),
    )
