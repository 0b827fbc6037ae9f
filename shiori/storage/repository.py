"""Data sets in SQL; see `shiori.ports.DatasetRepository` for what each method promises."""

from collections.abc import Sequence, Set
from typing import Any

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.exc import IntegrityError

from mesh.database import Database
from mesh.errors import AlreadyExists, stale_etag
from mesh.owned_rows import in_sight
from mesh.visibility import Sight, Visibility
from shiori.domain.dataset import (
    Column,
    ColumnRole,
    ColumnType,
    Dataset,
    DatasetName,
    FileFormat,
)
from shiori.ports import StoredBytes
from shiori.storage.models import DatasetRow


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
        async with self._database.session() as session:
            row = await session.get(DatasetRow, (name.project_id, name.dataset_id))
        return None if row is None else _dataset(row)

    async def list(
        self, project_id: str, *, sight: Sight, after: str, limit: int
    ) -> Sequence[Dataset]:
        """Return data sets of a project in the order of their ids."""
        query = (
            select(DatasetRow)
            .where(
                DatasetRow.project_id == project_id,
                DatasetRow.dataset_id > after,
                in_sight(DatasetRow, sight),
            )
            .order_by(DatasetRow.dataset_id)
            .limit(limit)
        )
        async with self._database.session() as session:
            return [_dataset(row) for row in await session.scalars(query)]

    async def projects(self) -> Set[str]:
        """Return the projects that have data sets."""
        query = select(DatasetRow.project_id).distinct()
        async with self._database.session() as session:
            return set(await session.scalars(query))

    async def set_visibility(self, name: DatasetName, visibility: Visibility, *, etag: str) -> bool:
        """Store who may know of the data set of this etag."""
        change = (
            update(DatasetRow)
            .where(
                DatasetRow.project_id == name.project_id,
                DatasetRow.dataset_id == name.dataset_id,
                DatasetRow.etag == etag,
            )
            .values(visibility=visibility.value)
            .returning(DatasetRow.dataset_id)
        )
        async with self._database.session() as session:
            return await session.scalar(change) is not None

    async def delete(self, name: DatasetName, *, etag: str) -> Dataset | None:
        """Remove a data set and return it; None when there is none."""
        statement = delete(DatasetRow).where(
            DatasetRow.project_id == name.project_id, DatasetRow.dataset_id == name.dataset_id
        )
        if etag:
            statement = statement.where(DatasetRow.etag == etag)
        async with self._database.session() as session:
            row = (await session.scalars(statement.returning(DatasetRow))).one_or_none()
            if row is not None:
                return _dataset(row)
            if await session.get(DatasetRow, (name.project_id, name.dataset_id)) is not None:
                raise stale_etag(str(name), etag)
            return None

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


def _dataset(row: DatasetRow) -> Dataset:
    return Dataset(
        name=DatasetName(row.project_id, row.dataset_id),
        format=FileFormat(row.format),
        columns=tuple(_column(stored) for stored in row.columns),
        row_count=row.row_count,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        create_time=row.create_time,
        creator=row.creator,
        owner=row.owner,
        owner_since=row.owner_since,
        visibility=Visibility(row.visibility),
    )
