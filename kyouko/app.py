"""The composition root: the only place that knows all concrete classes of kyouko."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from hanami.kyouko.v1 import (
    learning_service_pb2_grpc,
    network_service_pb2_grpc,
    template_service_pb2_grpc,
)

from kyouko.cpu_quota import usable_processors
from kyouko.domain.networks.catalogue import NetworkLimits, Networks
from kyouko.domain.networks.live import LiveLimits, LiveNetworks
from kyouko.domain.streams.streams import StreamLimits, Streams
from kyouko.kernels.warmup import is_cached, warm_up
from kyouko.servicers.learning import LearningServicer
from kyouko.servicers.networks import NetworkServicer
from kyouko.servicers.templates import TemplateServicer
from kyouko.settings import KyoukoSettings
from kyouko.storage import migrations
from kyouko.storage.models import IDEMPOTENCY_KEYS
from kyouko.storage.networks import SqlNetworkRepository
from kyouko.storage.snapshots import BlobSnapshotStore
from kyouko.templates import shipped_templates
from mesh.blobs import BlobStore
from mesh.clients import RemoteKeys, channel_to
from mesh.database import Database
from mesh.health import Dependency
from mesh.idempotency import SqlIdempotencyStore
from mesh.ownership import owned
from mesh.server import Application, Servicer
from mesh.tokens import TokenVerifier

SCHEMA = "kyouko"
_log = structlog.get_logger(__name__)


@asynccontextmanager
async def build(settings: KyoukoSettings) -> AsyncIterator[Application]:
    """Open kyouko's stores and build the service on them.

    Raises:
        SystemExit: Another kyouko works in the same data folder.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(owned(settings.data_directory, service="kyouko"))
        database = Database(settings.effective_database_url, schema=SCHEMA)
        stack.push_async_callback(database.close)
        await database.migrate(migrations.DIRECTORY)
        threads = settings.worker_threads or usable_processors()
        executor = stack.enter_context(ThreadPoolExecutor(threads, "kernels"))
        await _warm_up(executor)
        misaki = await stack.enter_async_context(channel_to(settings.misaki_address))
        verifier = TokenVerifier(
            RemoteKeys(misaki), issuer=settings.token_issuer, audience=settings.token_audience
        )
        blobs = BlobStore.in_folder(settings.data_directory / "snapshots")
        blobs.remove_unfinished()
        repository = SqlNetworkRepository(database)
        live = LiveNetworks(
            repository,
            BlobSnapshotStore(blobs),
            executor,
            new_id=_new_id,
            limits=LiveLimits(
                networks=settings.max_live_networks,
                snapshot_rows=settings.snapshot_rows,
                snapshot_seconds=settings.snapshot_seconds,
            ),
        )
        stack.push_async_callback(live.close)
        streams = Streams(live, verifier.verify, clock=_utc_now, limits=_stream_limits(settings))
        networks = Networks(
            repository,
            live,
            executor,
            clock=_utc_now,
            new_id=_new_id,
            limits=NetworkLimits(
                settings.max_networks_per_project, settings.max_network_memory_bytes
            ),
            before_deletion=[streams.end_network],
        )
        watching = asyncio.create_task(live.watch())
        stack.push_async_callback(_stop, watching)
        shipped = shipped_templates()
        yield Application(
            servicers=[
                Servicer(
                    "hanami.kyouko.v1.TemplateService",
                    template_service_pb2_grpc.add_TemplateServiceServicer_to_server,
                    TemplateServicer(shipped),
                ),
                Servicer(
                    "hanami.kyouko.v1.NetworkService",
                    network_service_pb2_grpc.add_NetworkServiceServicer_to_server,
                    NetworkServicer(networks, shipped),
                ),
                Servicer(
                    "hanami.kyouko.v1.LearningService",
                    learning_service_pb2_grpc.add_LearningServiceServicer_to_server,
                    LearningServicer(streams),
                ),
            ],
            verifier=verifier,
            dependencies=[Dependency("database", database.check)],
            idempotency=SqlIdempotencyStore(database, IDEMPOTENCY_KEYS),
            drain=streams.drain,
        )


def _stream_limits(settings: KyoukoSettings) -> StreamLimits:
    return StreamLimits(
        streams=settings.max_streams,
        frame_rows=settings.max_frame_rows,
        window_rows=settings.max_outstanding_rows,
        window_bytes=settings.stream_window_bytes,
        message_bytes=settings.max_message_bytes // 2,
        idle_seconds=settings.stream_idle_seconds,
    )


async def _warm_up(executor: Executor) -> None:
    loop = asyncio.get_running_loop()
    cached = is_cached()
    if not cached:
        _log.info("compiling kernels")
    seconds = await loop.run_in_executor(executor, warm_up)
    _log.info("kernels ready", cached=cached, seconds=round(seconds, 2))


async def _stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return uuid.uuid4().hex
