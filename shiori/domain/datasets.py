"""Data sets that are there: get, list, delete and read them."""

from collections.abc import AsyncGenerator, Sequence, Set
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, replace

from mesh.access import Caller, Principal
from mesh.errors import InvalidArgument, NotFound, stale_etag
from mesh.pages import Page, PageRequest, page_of, page_request
from mesh.quota_counts import QuotaCounts
from mesh.quotas import Quota, subjects_of
from mesh.visibility import (
    EVERYTHING,
    Belonging,
    Visibility,
    authorize,
    authorize_change,
    authorize_listing,
    check_listing,
)
from shiori.domain import work
from shiori.domain.dataset import Column, Dataset, DatasetEntry, DatasetName, RowRange
from shiori.domain.leases import TableLeases
from shiori.domain.rows import RowBatch
from shiori.domain.running_reads import RunningReads
from shiori.domain.turns import Turns
from shiori.ports import DatasetRepository, TableReader, TableStore

# A page of very wide data sets ends early, so that it stays far below the largest message.
_COLUMNS_PER_PAGE = 50_000
_CLEARED_AT_ONCE = 50


@dataclass(frozen=True)
class ReadRequest:
    """Which rows and columns to read; see the contract for what empty values mean.

    With a `reader` a service reads for somebody, and may what they may.
    """

    name: DatasetName
    columns: tuple[str, ...] = ()
    start_row: int = 0
    row_limit: int = 0
    matrix_columns: int = 0
    etag: str = ""
    reader: Principal | None = None


class Datasets:
    """Finds, reads and removes data sets, each time checking that the caller may."""

    def __init__(
        self,
        repository: DatasetRepository,
        tables: TableStore,
        *,
        leases: TableLeases,
        counts: QuotaCounts,
        executor: Executor,
        max_reads: int,
    ) -> None:
        self._repository = repository
        self._tables = tables
        self._leases = leases
        self._counts = counts
        self._executor = executor
        self._reads = Turns(max_reads, what="reads of data sets")
        self._running = RunningReads()

    async def get(self, caller: Caller, name: DatasetName) -> Dataset:
        """Return a data set.

        Raises:
            NotFound: RESOURCE_NOT_FOUND, also for those who may not know of it.
        """
        await self._entry(caller, name)
        dataset = await self._repository.get(name)
        # Meanwhile it may be another one, or its owner may have hidden it.
        _authorize(caller, name, None if dataset is None else dataset.belonging)
        if dataset is None:
            raise NotFound(str(name))
        return dataset

    async def _entry(self, caller: Caller, name: DatasetName) -> DatasetEntry:
        """Return the entry of a data set, if the caller may know of it.

        Before anything else of it is read: what is there takes no longer than what is not.
        """
        entry = await self._repository.entry(name)
        _authorize(caller, name, None if entry is None else entry.belonging)
        if entry is None:
            raise NotFound(str(name))
        return entry

    async def list(
        self, caller: Caller, project_id: str, *, page_size: int, page_token: str
    ) -> Page[Dataset]:
        """Return a page of those data sets of a project that the caller may know of, by name.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            InvalidArgument: PAGE_TOKEN_INVALID.
        """
        sight = authorize_listing(caller, project_id)
        request = page_request(page_size, page_token, listing=f"datasets {project_id}")
        found = await self._repository.list(
            project_id, sight=sight, after=request.after, limit=request.limit + 1
        )
        check_listing(sight, project_id, len(found))
        return page_of(_narrowed(request, found), found, lambda item: item.name.dataset_id)

    async def update(
        self, caller: Caller, name: DatasetName, *, visibility: Visibility, etag: str = ""
    ) -> Dataset:
        """Change who may know of a data set; reads of those who may not any more end.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ROLE_INSUFFICIENT: not its owner, nor an admin of its project.
            Aborted: ETAG_MISMATCH.
        """
        dataset = await self.get(caller, name)
        authorize_change(caller, dataset.belonging)
        if etag not in ("", dataset.etag):
            raise stale_etag(str(name), etag)
        if not await self._repository.set_visibility(name, visibility, etag=dataset.etag):
            raise NotFound(str(name))
        changed = replace(dataset, visibility=visibility)
        self._running.tell(changed)
        return changed

    async def delete(self, caller: Caller, name: DatasetName, *, etag: str) -> None:
        """Remove a data set; readers that have begun may finish.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            Aborted: ETAG_MISMATCH.
        """
        entry = await self._entry(caller, name)
        # Not one that has come after the one that the caller may know of.
        if not await self._remove(name, etag or entry.etag):
            raise NotFound(str(name))

    async def projects(self) -> Set[str]:
        """Return the projects that have data sets."""
        return await self._repository.projects()

    async def clear_project(self, project_id: str) -> None:
        """Remove all data sets of a project that is gone."""
        while found := await self._repository.list(
            project_id, sight=EVERYTHING, after="", limit=_CLEARED_AT_ONCE
        ):
            for dataset in found:
                await self._remove(dataset.name, dataset.etag)

    async def _remove(self, name: DatasetName, etag: str) -> bool:
        """Remove the data set of an etag; returns whether it was there."""
        deleted = await self._repository.delete(name, etag=etag)
        if deleted is None:
            return False
        subjects = subjects_of(name.project_id, deleted.owner)
        self._counts.add(subjects, Quota.DATASET_BYTES, -deleted.size_bytes)
        await self._leases.remove_unused(deleted.sha256)
        return True

    async def read(self, caller: Caller, request: ReadRequest) -> AsyncGenerator[RowBatch, None]:
        """Yield rows in order.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ROLE_INSUFFICIENT.
            InvalidArgument: FIELD_INVALID: an unknown column, rows that are not there, or
                a matrix of text.
            ResourceExhausted: LIMIT_REACHED: the caller reads too many at once.
            Aborted: ETAG_MISMATCH.
        """
        reader = _reader(caller, request)
        with self._running.following(reader, request.name) as still:
            dataset = await self.get(reader, request.name)
            if request.etag not in ("", dataset.etag):
                raise stale_etag(str(request.name), request.etag)
            async with aclosing(self._rows(caller, dataset, request)) as batches:
                async for batch in batches:
                    still.check()
                    yield batch

    async def _rows(
        self, caller: Caller, dataset: Dataset, request: ReadRequest
    ) -> AsyncGenerator[RowBatch, None]:
        columns = dataset.select_columns(request.columns)
        dataset.check_matrix(columns, request.matrix_columns)
        rows = dataset.select_rows(request.start_row, request.row_limit)
        with self._reads.taken(caller.principal):
            async with aclosing(
                self._batches(dataset, columns, rows, request.matrix_columns)
            ) as batches:
                async for batch in batches:
                    yield batch

    async def _batches(
        self, dataset: Dataset, columns: Sequence[Column], rows: RowRange, matrix_columns: int
    ) -> AsyncGenerator[RowBatch, None]:
        async with self._leases.held(dataset.sha256):
            reader = await self._opened(dataset)
            batches = reader.batches(columns, rows, matrix_columns=matrix_columns)
            async with aclosing(work.prefetched(self._executor, batches)) as prefetched:
                async for batch in prefetched:
                    yield batch

    async def _opened(self, dataset: Dataset) -> TableReader:
        try:
            return await work.run(
                self._executor,
                lambda: self._tables.open(dataset.sha256),
                stop=work.nothing_to_stop,
            )
        except FileNotFoundError as error:
            if await self._repository.get(dataset.name) == dataset:
                raise
            raise NotFound(str(dataset.name)) from error


def _authorize(caller: Caller, name: DatasetName, belonging: Belonging | None) -> None:
    authorize(caller, name.project_id, str(name), belonging)


def _reader(caller: Caller, request: ReadRequest) -> Caller:
    """Return who may read or not: the caller, or whom a service reads for."""
    if request.reader is None:
        return caller
    if not caller.principal.is_service:
        raise InvalidArgument.for_field("reader", "is for services; you read for yourself")
    return replace(caller, principal=request.reader)


def _narrowed(request: PageRequest, found: Sequence[Dataset]) -> PageRequest:
    columns = 0
    for index, dataset in enumerate(found):
        columns += len(dataset.columns)
        if columns > _COLUMNS_PER_PAGE and index > 0:
            return replace(request, limit=min(request.limit, index))
    return request
