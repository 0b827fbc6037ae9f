"""The composition root: the only place that knows all concrete classes of shiori."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog
from hanami.shiori.v1 import (
    audit_service_pb2_grpc,
    dataset_service_pb2_grpc,
    error_service_pb2_grpc,
    usage_service_pb2_grpc,
)

from mesh.access_feed import feed_of
from mesh.audit import running_trail
from mesh.blobs import BlobStore
from mesh.clearing import Clearing
from mesh.clients import RemoteKeys, channel_to
from mesh.database import Database
from mesh.health import Dependency
from mesh.idempotency import SqlIdempotencyStore
from mesh.interceptors.quota_warnings import note_quota_warning
from mesh.ownership import owned
from mesh.quota_counts import QuotaCounts, Usage
from mesh.quotas import Quota, QuotaBook, subjects_of
from mesh.server import Application, Servicer
from mesh.tokens import TokenVerifier
from shiori.clients.own_logs import OwnLogs
from shiori.domain.datasets import Datasets
from shiori.domain.leases import TableLeases
from shiori.domain.logs.audit import AuditLog
from shiori.domain.logs.errors import ErrorLog
from shiori.domain.logs.records import Retention
from shiori.domain.uploads import UploadLimits, Uploads, UploadStores
from shiori.formats.conversion import convert
from shiori.ports import DatasetRepository
from shiori.servicers.datasets import DatasetServicer
from shiori.servicers.logs import AuditServicer, ErrorServicer
from shiori.servicers.usage import UsageServicer
from shiori.settings import ShioriSettings
from shiori.storage import migrations
from shiori.storage.logs import SqlAuditEntries, SqlErrorRecords
from shiori.storage.models import IDEMPOTENCY_KEYS
from shiori.storage.repository import SqlDatasets
from shiori.storage.staging import UploadFolders
from shiori.storage.tables import BlobTables

SCHEMA = "shiori"
_log = structlog.get_logger(__name__)


@asynccontextmanager
async def build(settings: ShioriSettings) -> AsyncIterator[Application]:
    """Open shiori's stores and build the service on them.

    Raises:
        SystemExit: Another shiori works in the same data folder, or there is no blob store.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(owned(settings.data_directory, service="shiori"))
        database = Database(settings.effective_database_url, schema=SCHEMA)
        stack.push_async_callback(database.close)
        await database.migrate(migrations.DIRECTORY)
        blobs = await _blobs(settings)
        stores, leases = await _stores(settings, database, blobs)
        misaki = await stack.enter_async_context(
            channel_to(settings.misaki_address, service="misaki", tls=settings.tls)
        )
        verifier = TokenVerifier(
            RemoteKeys(misaki), issuer=settings.token_issuer, audience=settings.token_audience
        )
        counts = await _counts(settings, stores.repository, verifier.access.quotas)
        files = stack.enter_context(ThreadPoolExecutor(settings.file_threads, "files"))
        conversion = stack.enter_context(
            ThreadPoolExecutor(settings.conversion_threads, "conversion")
        )
        uploads = Uploads(
            stores,
            leases=leases,
            counts=counts,
            convert=convert,
            writing=files,
            converting=conversion,
            limits=UploadLimits(
                settings.max_upload_bytes,
                settings.upload_idle_seconds,
                settings.max_uploads_per_user,
            ),
            now=_utc_now,
        )
        datasets = Datasets(
            stores.repository,
            stores.tables,
            leases=leases,
            counts=counts,
            executor=files,
            max_reads=settings.max_reads_per_user,
        )
        logs = _Logs(settings, database)
        sweeping = asyncio.create_task(logs.sweep_forever(settings.log_sweep_seconds))
        stack.push_async_callback(_stop, sweeping)
        trail = await stack.enter_async_context(running_trail(settings, logs.home()))
        clearing = Clearing(
            verifier.access, projects=datasets.projects, clear=datasets.clear_project
        )
        stack.push_async_callback(_stop, asyncio.create_task(clearing.run()))
        yield Application(
            servicers=[
                Servicer(
                    "hanami.shiori.v1.DatasetService",
                    dataset_service_pb2_grpc.add_DatasetServiceServicer_to_server,
                    DatasetServicer(uploads, datasets),
                ),
                Servicer(
                    "hanami.shiori.v1.UsageService",
                    usage_service_pb2_grpc.add_UsageServiceServicer_to_server,
                    UsageServicer(Usage(counts, [Quota.DATASET_BYTES])),
                ),
                *logs.servicers(),
            ],
            verifier=verifier,
            feed=feed_of(settings, misaki, verifier),
            dependencies=[
                Dependency("database", database.check),
                Dependency("blobs", blobs.check),
            ],
            idempotency=SqlIdempotencyStore(database, IDEMPOTENCY_KEYS),
            drain=logs.drain,
            audit=trail,
        )


class _Logs:
    """The audit log and the error log of the mesh."""

    def __init__(self, settings: ShioriSettings, database: Database) -> None:
        self.audit = AuditLog(
            SqlAuditEntries(database),
            clock=_utc_now,
            retention=Retention(
                timedelta(days=settings.audit_retention_days), settings.audit_max_bytes
            ),
            max_watches=settings.max_watches_per_user,
        )
        self.errors = ErrorLog(
            SqlErrorRecords(database),
            clock=_utc_now,
            retention=Retention(
                timedelta(days=settings.error_retention_days), settings.error_max_bytes
            ),
        )

    def servicers(self) -> Sequence[Servicer]:
        """Return the gRPC services."""
        return [
            Servicer(
                "hanami.shiori.v1.AuditService",
                audit_service_pb2_grpc.add_AuditServiceServicer_to_server,
                AuditServicer(self.audit),
            ),
            Servicer(
                "hanami.shiori.v1.ErrorService",
                error_service_pb2_grpc.add_ErrorServiceServicer_to_server,
                ErrorServicer(self.errors),
            ),
        ]

    def home(self) -> OwnLogs:
        """Return where shiori's own entries go."""
        return OwnLogs(self.audit, self.errors, service="shiori")

    async def drain(self) -> None:
        """End all watches."""
        self.audit.close()

    async def sweep_forever(self, seconds: float) -> None:
        """Remove what is too old or too much, again and again."""
        while True:
            try:
                removed = {"entries": await self.audit.sweep(), "errors": await self.errors.sweep()}
                if any(removed.values()):
                    _log.info("removed from the logs", **removed)
            except Exception as error:  # A sweep that fails must not be the last one.
                _log.exception("the logs cannot be swept", error=repr(error))
            await asyncio.sleep(seconds)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _blobs(settings: ShioriSettings) -> BlobStore:
    blobs = settings.blob_store()
    await blobs.prepare()
    return blobs


async def _stores(
    settings: ShioriSettings, database: Database, blobs: BlobStore
) -> tuple[UploadStores, TableLeases]:
    """Open the stores and remove what a killed process has left in them."""
    tables = BlobTables(blobs)
    staging = UploadFolders(settings.data_directory / "uploads")
    repository = SqlDatasets(database)
    leases = TableLeases(repository, tables)
    leftovers = {
        "uploads": staging.remove_leftovers(),
        "unfinished": blobs.remove_unfinished(),
        "tables": await leases.remove_all_unused(),
    }
    if any(leftovers.values()):
        _log.warning("removed what a killed process had left", **leftovers)
    return UploadStores(staging, tables, repository), leases


async def _counts(
    settings: ShioriSettings, repository: DatasetRepository, book: QuotaBook
) -> QuotaCounts:
    counts = QuotaCounts(
        book, warn=note_quota_warning, warning_percent=settings.quota_warning_percent
    )
    for stored in await repository.sizes():
        subjects = subjects_of(stored.project_id, stored.owner)
        counts.add(subjects, Quota.DATASET_BYTES, stored.size_bytes)
    return counts


def _utc_now() -> datetime:
    return datetime.now(UTC)
