"""Networks in SQL; see `kyouko.ports.NetworkRepository` for what each method promises."""

import asyncio
from collections.abc import Sequence, Set
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from kyouko.domain.holdings import Holding
from kyouko.domain.networks.network import Network, NetworkEntry, SnapshotRecord, network_name
from kyouko.storage.documents import (
    statistics_document,
    statistics_in,
    structure_document,
    structure_in,
)
from kyouko.storage.models import NetworkRow
from mesh.database import Database
from mesh.errors import AlreadyExists, NotFound
from mesh.owned_rows import in_sight
from mesh.visibility import Belonging, Sight, Visibility

# Databases bound the number of values in one query.
_UIDS_AT_ONCE: Final = 500
_ENTRY: Final = (
    NetworkRow.uid,
    NetworkRow.create_time,
    NetworkRow.owner,
    NetworkRow.owner_since,
    NetworkRow.visibility,
)


class SqlNetworkRepository:
    """Keeps networks in kyouko's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, network: Network) -> None:
        """Store a new network."""
        row = NetworkRow(
            uid=network.uid,
            project_id=network.project_id,
            network_id=network.network_id,
            structure=structure_document(network.structure),
            statistics=statistics_document(network.statistics),
            labels=list(network.labels),
            kept_rows=network.kept_rows,
            snapshot=network.snapshot,
            snapshot_before=network.snapshot_before,
            journal_position=network.journal_position,
            problem=network.problem,
            creator=network.creator,
            create_time=network.create_time,
            owner=network.owner,
            owner_since=network.owner_since,
            visibility=network.visibility.value,
        )
        try:
            async with self._database.session() as session:
                session.add(row)
        except IntegrityError as error:
            raise AlreadyExists(network.name) from error

    async def entry(self, project_id: str, network_id: str) -> NetworkEntry | None:
        """Return who may know of a network, or None; its structure stays where it is."""
        query = select(*_ENTRY).where(
            NetworkRow.project_id == project_id, NetworkRow.network_id == network_id
        )
        async with self._database.session() as session:
            row = (await session.execute(query)).one_or_none()
        if row is None:
            return None
        uid, create_time, owner, owner_since, visibility = row
        seen_by = Visibility(visibility)
        return NetworkEntry(uid, Belonging(project_id, create_time, owner, owner_since, seen_by))

    async def get(self, project_id: str, network_id: str) -> Network:
        """Return a network."""
        query = select(NetworkRow).where(
            NetworkRow.project_id == project_id, NetworkRow.network_id == network_id
        )
        async with self._database.session() as session:
            row = (await session.scalars(query)).one_or_none()
        if row is None:
            raise NotFound(network_name(project_id, network_id))
        return _network(row)

    async def list(
        self, project_id: str, *, sight: Sight, after: str, limit: int
    ) -> Sequence[Network]:
        """Return networks by id."""
        query = (
            select(NetworkRow)
            .where(
                NetworkRow.project_id == project_id,
                NetworkRow.network_id > after,
                in_sight(NetworkRow, sight),
            )
            .order_by(NetworkRow.network_id)
            .limit(limit)
        )
        async with self._database.session() as session:
            rows = (await session.scalars(query)).all()
        # A page of them takes too long for the others in the loop.
        return await asyncio.to_thread(lambda: [_network(row) for row in rows])

    async def projects(self) -> Set[str]:
        """Return the projects that have networks."""
        query = select(NetworkRow.project_id).distinct()
        async with self._database.session() as session:
            return set(await session.scalars(query))

    async def set_visibility(self, uid: str, visibility: Visibility) -> bool:
        """Store who may know of a network."""
        change = (
            update(NetworkRow)
            .where(NetworkRow.uid == uid)
            .values(visibility=visibility.value)
            .returning(NetworkRow.uid)
        )
        async with self._database.session() as session:
            return await session.scalar(change) is not None

    async def holdings(self) -> Sequence[Holding]:
        """Return what all networks count in quotas."""
        query = select(
            NetworkRow.uid,
            NetworkRow.project_id,
            NetworkRow.creator,
            NetworkRow.statistics,
            NetworkRow.snapshot,
            NetworkRow.snapshot_before,
        )
        async with self._database.session() as session:
            return [
                Holding(
                    uid,
                    project_id,
                    creator,
                    statistics_in(statistics).connections,
                    snapshots=(newest != "") + (before != ""),
                )
                for uid, project_id, creator, statistics, newest, before in await session.execute(
                    query
                )
            ]

    async def record_snapshot(
        self, uid: str, record: SnapshotRecord, *, instead: bool = False
    ) -> str | None:
        """Point a network to a new snapshot."""
        leaving = NetworkRow.snapshot if instead else NetworkRow.snapshot_before
        staying = NetworkRow.snapshot_before if instead else NetworkRow.snapshot
        before = select(leaving).where(NetworkRow.uid == uid).with_for_update()
        change = (
            update(NetworkRow)
            .where(NetworkRow.uid == uid)
            .values(
                snapshot_before=staying,
                snapshot=record.name,
                journal_position=record.journal_position,
                kept_rows=record.kept_rows,
                labels=[*record.labels],
                statistics=statistics_document(record.statistics),
            )
            # None comes back when the network was deleted between the two: SQLite locks no rows.
            .returning(NetworkRow.uid)
        )
        async with self._database.session() as session:
            unneeded: str | None = await session.scalar(before)
            if unneeded is None or await session.scalar(change) is None:
                return None
            return unneeded

    async def record_problem(self, uid: str, problem: str) -> None:
        """Note what of a network was lost."""
        change = update(NetworkRow).where(NetworkRow.uid == uid).values(problem=problem)
        async with self._database.session() as session:
            await session.execute(change)

    async def fall_back(self, uid: str, snapshot: str, journal_position: int) -> None:
        """Point a network to an older snapshot."""
        change = (
            update(NetworkRow)
            .where(NetworkRow.uid == uid)
            .values(snapshot=snapshot, snapshot_before="", journal_position=journal_position)
        )
        async with self._database.session() as session:
            await session.execute(change)

    async def by_uid(self, uids: Set[str]) -> Sequence[Network]:
        """Return those networks that exist."""
        found: list[Network] = []
        wanted = sorted(uids)
        async with self._database.session() as session:
            for first in range(0, len(wanted), _UIDS_AT_ONCE):
                some = wanted[first : first + _UIDS_AT_ONCE]
                query = select(NetworkRow).where(NetworkRow.uid.in_(some))
                found += [_network(row) for row in await session.scalars(query)]
        return found

    async def snapshots(self) -> Set[str]:
        """Return the names of the snapshots that networks point to."""
        query = select(NetworkRow.snapshot, NetworkRow.snapshot_before)
        async with self._database.session() as session:
            rows = await session.execute(query)
            return {name for row in rows for name in row if name}

    async def delete(self, uid: str) -> None:
        """Delete a network and its tasks."""
        async with self._database.session() as session:
            await session.execute(delete(NetworkRow).where(NetworkRow.uid == uid))


def _network(row: NetworkRow) -> Network:
    return Network(
        uid=row.uid,
        project_id=row.project_id,
        network_id=row.network_id,
        structure=structure_in(row.structure),
        create_time=row.create_time,
        creator=row.creator,
        statistics=statistics_in(row.statistics),
        labels=tuple(row.labels),
        kept_rows=row.kept_rows,
        snapshot=row.snapshot,
        snapshot_before=row.snapshot_before,
        journal_position=row.journal_position,
        problem=row.problem,
        owner=row.owner,
        owner_since=row.owner_since,
        visibility=Visibility(row.visibility),
    )
