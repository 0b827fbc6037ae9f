"""Uploads: nothing is visible before everything has come, been checked and stored."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from mesh.access import Caller
from mesh.errors import AlreadyExists, DeadlineExceeded, InvalidArgument
from mesh.quota_counts import Claim, QuotaCounts
from mesh.quotas import Quota, subjects_of
from mesh.visibility import authorize_creation, owner_of
from shiori.domain import work
from shiori.domain.announcement import Announcement
from shiori.domain.dataset import Dataset
from shiori.domain.leases import TableLeases
from shiori.domain.reception import Chunk, Reception, protocol_broken
from shiori.domain.room import Promise, Room
from shiori.domain.turns import Turns
from shiori.ports import (
    Clock,
    ConvertedTable,
    Converter,
    DatasetRepository,
    StagedUpload,
    Staging,
    TableStore,
)

Messages = AsyncIterator[Announcement | Chunk]


@dataclass(frozen=True)
class UploadLimits:
    """How large an upload may be, how long a client may stay silent in it, how many may run."""

    max_bytes: int
    idle_seconds: float
    per_user: int


@dataclass(frozen=True)
class UploadStores:
    """Where an upload goes: bytes, table, entry."""

    staging: Staging
    tables: TableStore
    repository: DatasetRepository


class Uploads:
    """Receives files and turns them into data sets."""

    def __init__(
        self,
        stores: UploadStores,
        *,
        leases: TableLeases,
        counts: QuotaCounts,
        convert: Converter,
        writing: Executor,
        converting: Executor,
        limits: UploadLimits,
        now: Clock,
    ) -> None:
        self._stores = stores
        self._leases = leases
        self._counts = counts
        self._convert = convert
        self._writing = writing
        self._converting = converting
        self._limits = limits
        self._now = now
        self._running = Turns(limits.per_user, what="uploads")
        self._room = Room(stores.staging.free_bytes)

    async def receive(self, caller: Caller, messages: Messages) -> Dataset:
        """Receive one upload.

        Args:
            caller: Who uploads.
            messages: The announcement, then the chunks.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: the project.
            AlreadyExists: RESOURCE_EXISTS; refused before the bytes come.
            InvalidArgument: STREAM_PROTOCOL, CHECKSUM_MISMATCH, UPLOAD_TRUNCATED,
                FILE_MALFORMED or FIELD_INVALID.
            ResourceExhausted: LIMIT_REACHED: too large, too many at once, or no room.
                QUOTA_EXCEEDED: more bytes than the project or the user may have.
            DeadlineExceeded: The client stays silent for too long.
        """
        with self._running.taken(caller.principal):
            announcement = await self._announced(caller, messages)
            owner, _ = announcement.owner or owner_of(caller.principal)
            subjects = subjects_of(announcement.name.project_id, owner)
            size = announcement.size_bytes
            with (
                self._counts.held(subjects, Quota.DATASET_BYTES, size) as claim,
                self._room.promised(size) as promise,
            ):
                async with self._stores.staging.opened() as staged:
                    await self._receive_files(announcement, messages, staged, promise)
                    table = await self._converted(announcement, staged)
                    # What counts from now on is the table, of a size that nobody knew before.
                    claim.resize(table.size_bytes)
                    return await self._publish(caller, announcement, staged, table, claim)

    async def _announced(self, caller: Caller, messages: Messages) -> Announcement:
        announcement = await self._next(messages)
        if not isinstance(announcement, Announcement):
            raise protocol_broken("open", "chunk" if announcement else "the end of the stream")
        authorize_creation(caller, announcement.name.project_id)
        _check_owner(caller, announcement)
        announcement.check(max_bytes=self._limits.max_bytes)
        if await self._stores.repository.entry(announcement.name) is not None:
            raise AlreadyExists(str(announcement.name))
        return announcement

    async def _next(self, messages: Messages) -> Announcement | Chunk | None:
        try:
            async with asyncio.timeout(self._limits.idle_seconds):
                return await anext(messages, None)
        except TimeoutError as error:
            seconds = f"{self._limits.idle_seconds:g}"
            raise DeadlineExceeded(
                f"nothing came for {seconds} seconds; nothing has been kept, send it again",
                reason="DEADLINE_EXCEEDED",
                metadata={"timeout_seconds": seconds},
            ) from error

    async def _receive_files(
        self,
        announcement: Announcement,
        messages: Messages,
        staged: StagedUpload,
        promise: Promise,
    ) -> None:
        reception = Reception(announcement)

        def keep(chunk: Chunk) -> None:
            reception.accept(chunk)
            staged.append(chunk.role, chunk.data)
            promise.fill(len(chunk.data))

        while (message := await self._next(messages)) is not None:
            if isinstance(message, Announcement):
                raise protocol_broken("chunk", "open")
            # Checksum and disk would hold up the loop for milliseconds.
            await work.run(self._writing, partial(keep, message), stop=work.nothing_to_stop)
        reception.finish()
        await work.run(self._writing, staged.close, stop=work.nothing_to_stop)

    async def _converted(self, announcement: Announcement, staged: StagedUpload) -> ConvertedTable:
        stop = threading.Event()
        return await work.run(
            self._converting,
            lambda: self._convert(announcement, staged.files(), staged.table(), stop.is_set),
            stop=stop.set,
        )

    async def _publish(
        self,
        caller: Caller,
        announcement: Announcement,
        staged: StagedUpload,
        table: ConvertedTable,
        claim: Claim,
    ) -> Dataset:
        owner, owner_since = announcement.owner or owner_of(caller.principal)
        dataset = Dataset(
            name=announcement.name,
            format=announcement.format,
            columns=table.columns,
            row_count=table.row_count,
            size_bytes=table.size_bytes,
            sha256=table.sha256,
            create_time=self._now(),
            creator=caller.principal.name,
            owner=owner,
            owner_since=owner_since,
            visibility=announcement.visibility,
        )
        async with self._leases.held(table.sha256):
            try:
                await self._stores.tables.put(table.sha256, staged.table())
                await self._stores.repository.add(dataset)
                claim.keep()
            except BaseException:
                self._leases.doom(table.sha256)
                raise
        return dataset


def _check_owner(caller: Caller, announcement: Announcement) -> None:
    if announcement.owner is not None and not caller.principal.is_service:
        raise InvalidArgument.for_field("open.owner", "is for services; what you upload is yours")
