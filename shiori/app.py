"""The composition root: the only place that knows all concrete classes of shiori."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import structlog
from hanami.shiori.v1 import dataset_service_pb2_grpc

from mesh.blobs import BlobStore
from mesh.clients import RemoteKeys, channel_to
from mesh.database import Database
from mesh.health import Dependency
from mesh.idempotency import SqlIdempotencyStore
from mesh.ownership import owned
from mesh.server import Application, Servicer
from mesh.tokens import TokenVerifier
from shiori.domain.datasets import Datasets
from shiori.domain.leases import TableLeases
from shiori.domain.uploads import UploadLimits, Uploads, UploadStores
from shiori.formats.conversion import convert
from shiori.servicers.datasets import DatasetServicer
from shiori.settings import ShioriSettings
from shiori.storage import migrations
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
        files = stack.enter_context(ThreadPoolExecutor(settings.file_threads, "files"))
        conversion = stack.enter_context(
            ThreadPoolExecutor(settings.conversion_threads, "conversion")
        )
        uploads = Uploads(
            stores,
            leases=leases,
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
            executor=files,
            max_reads=settings.max_reads_per_user,
        )
        misaki = await stack.enter_async_context(channel_to(settings.misaki_address))
        yield Application(
            servicers=[
                Servicer(
                    "hanami.shiori.v1.DatasetService",
                    dataset_service_pb2_grpc.add_DatasetServiceServicer_to_server,
                    DatasetServicer(uploads, datasets),
                )
            ],
            verifier=TokenVerifier(
                RemoteKeys(misaki),
                issuer=settings.token_issuer,
                audience=settings.token_audience,
            ),
            dependencies=[
                Dependency("database", database.check),
                Dependency("blobs", blobs.check),
            ],
            idempotency=SqlIdempotencyStore(database, IDEMPOTENCY_KEYS),
        )


async def _blobs(settings: ShioriSettings) -> BlobStore:
    folder = settings.data_directory / "blobs"
    blobs = BlobStore.at(settings.blob_url, service="shiori", default=folder)
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


def _utc_now() -> datetime:
    return datetime.now(UTC)
