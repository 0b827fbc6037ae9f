"""The composition root: the only place that knows all concrete classes of kyouko."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version

import grpc
import structlog
from hanami.inference import grpc_service_pb2_grpc
from hanami.kyouko.v1 import (
    learning_service_pb2_grpc,
    network_service_pb2_grpc,
    task_service_pb2_grpc,
    template_service_pb2_grpc,
    usage_service_pb2_grpc,
)

from kyouko.clients.datasets import ShioriDatasets
from kyouko.clients.standings import MisakiStandings
from kyouko.cpu_quota import usable_processors
from kyouko.domain.growth import GrowthWatch
from kyouko.domain.holdings import COUNTED_HERE
from kyouko.domain.networks.catalogue import NetworkLimits, Networks
from kyouko.domain.networks.inference import Inference
from kyouko.domain.networks.live import LiveNetworks
from kyouko.domain.networks.live_network import LiveLimits
from kyouko.domain.networks.recovery import Recovery
from kyouko.domain.networks.seeing import SeenNetworks
from kyouko.domain.networks.sessions import MOST_ID_BYTES
from kyouko.domain.networks.workers import Workers
from kyouko.domain.quotas import Quotas
from kyouko.domain.streams.pairs import Pairs
from kyouko.domain.streams.streams import StreamLimits, Streams
from kyouko.domain.tasks.board import TaskBoard
from kyouko.domain.tasks.execution import ExecutionTools, TaskTerms
from kyouko.domain.tasks.rights import TaskRights
from kyouko.domain.tasks.tasks import Tasks
from kyouko.kernels.warmup import is_cached, warm_up
from kyouko.memory_quota import usable_memory
from kyouko.ports import Journals, NetworkRepository, Standings
from kyouko.readiness import Readiness
from kyouko.servicers.inference import InferenceServicer
from kyouko.servicers.learning_pair import PairedLearningServicer
from kyouko.servicers.networks import NetworkServicer
from kyouko.servicers.tasks import TaskServicer
from kyouko.servicers.templates import TemplateServicer
from kyouko.servicers.usage import UsageServicer
from kyouko.settings import KyoukoSettings
from kyouko.storage import migrations
from kyouko.storage.journal import NatsOptions, prepared_journals
from kyouko.storage.models import IDEMPOTENCY_KEYS
from kyouko.storage.networks import SqlNetworkRepository
from kyouko.storage.predictions import CsvPredictionFiles
from kyouko.storage.snapshots import BlobSnapshotStore
from kyouko.storage.tasks import SqlTaskRepository
from kyouko.templates import TemplateTurns, shipped_templates
from kyouko.tracing import OpenTelemetryTracing
from mesh.access_feed import feed_of
from mesh.audit import remote_trail
from mesh.blobs import BlobStore
from mesh.clearing import Clearing
from mesh.clients import RemoteKeys, ServiceTokens, channel_to
from mesh.database import Database
from mesh.health import Dependency
from mesh.idempotency import SqlIdempotencyStore
from mesh.interceptors.quota_warnings import note_quota_warning
from mesh.ownership import owned
from mesh.policy import contract_rules
from mesh.quota_counts import QuotaCounts, Usage
from mesh.quotas import Limits, Quota
from mesh.server import Application, Servicer
from mesh.tokens import TokenVerifier

SCHEMA = "kyouko"
_TASK_SERVICE = "hanami.kyouko.v1.TaskService"
_log = structlog.get_logger(__name__)


@asynccontextmanager
async def build(settings: KyoukoSettings) -> AsyncIterator[Application]:
    """Open kyouko's stores and build the service on them.

    Raises:
        SystemExit: Another kyouko works in the same data folder, or there is no blob store.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(owned(settings.data_directory, service="kyouko"))
        database = Database(settings.effective_database_url, schema=SCHEMA)
        stack.push_async_callback(database.close)
        await database.migrate(migrations.DIRECTORY)
        threads = settings.worker_threads or usable_processors()
        executor = stack.enter_context(Workers(threads, "kernels"))
        await _warm_up(executor)
        misaki = await stack.enter_async_context(
            channel_to(settings.misaki_address, service="misaki", tls=settings.tls)
        )
        shiori = await stack.enter_async_context(
            channel_to(settings.shiori_address, service="shiori", tls=settings.tls)
        )
        trail = await stack.enter_async_context(remote_trail(settings, misaki))
        blobs = await _blobs(settings)
        journals = await _journals(settings)
        stack.push_async_callback(journals.close)
        parts = _Parts(settings, database, blobs, journals, executor, misaki, shiori)
        stack.push_async_callback(parts.live.close)
        await parts.live.sweep()
        parts.quotas.holdings.begin(await parts.repository.holdings())
        growing = asyncio.create_task(parts.growth.run())
        stack.push_async_callback(_stop, growing)
        recovering = asyncio.create_task(parts.recovery.recover(await parts.recovery.unsaved()))
        stack.push_async_callback(_stop, recovering)
        await parts.tasks.start()
        watching = asyncio.create_task(parts.live.watch())
        stack.push_async_callback(_stop, watching)
        clearing = asyncio.create_task(parts.clearing().run())
        stack.push_async_callback(_stop, clearing)
        stack.enter_context(parts.verifier.access.listening(parts.streams.check_callers))
        stack.enter_context(parts.verifier.access.listening(parts.tasks.check_makers))
        yield Application(
            servicers=parts.servicers(),
            verifier=parts.verifier,
            dependencies=parts.dependencies,
            idempotency=SqlIdempotencyStore(database, IDEMPOTENCY_KEYS),
            drain=parts.drain,
            feed=feed_of(settings, misaki, parts.verifier),
            audit=trail,
        )


class _Parts:
    """The objects of one kyouko, wired together."""

    def __init__(
        self,
        settings: KyoukoSettings,
        database: Database,
        blobs: BlobStore,
        journals: Journals,
        executor: Workers,
        misaki: grpc.aio.Channel,
        shiori: grpc.aio.Channel,
    ) -> None:
        self.verifier = TokenVerifier(
            RemoteKeys(misaki), issuer=settings.token_issuer, audience=settings.token_audience
        )
        self.repository = repository = SqlNetworkRepository(database)
        seen = SeenNetworks(repository)
        book = self.verifier.access.quotas
        book.set_guests(_guest_limits(settings))
        counts = QuotaCounts(
            book,
            warn=note_quota_warning,
            warning_percent=settings.quota_warning_percent,
        )
        self.quotas = Quotas.over(counts)
        self.live = LiveNetworks(
            repository,
            BlobSnapshotStore(blobs),
            journals,
            executor,
            limits=_live_limits(settings),
        )
        self.recovery = Recovery(repository, journals, self.live)
        tokens = _service_tokens(settings, misaki)
        self.datasets = ShioriDatasets(shiori, tokens)
        self._rights = self._task_rights(MisakiStandings(misaki, tokens), seen)
        self.tasks = Tasks(
            SqlTaskRepository(database),
            repository,
            self._execution_tools(settings, database, repository),
            new_id=_new_id,
        )
        self.streams = Streams(
            self.live,
            seen,
            self.verifier.verify,
            self.verifier.access.check,
            self.quotas,
            clock=_utc_now,
            limits=_stream_limits(settings),
        )
        self.growth = GrowthWatch(
            self.live,
            repository,
            self.quotas.holdings,
            self.quotas.rates,
            end_learning=self.streams.end_learning,
        )
        self._pairs = Pairs(new_id=_new_id, idle_seconds=settings.pair_idle_seconds)
        self.dependencies = [
            Dependency("database", database.check),
            Dependency("snapshots", blobs.check),
            Dependency("shiori", self.datasets.check, required=False),
        ]
        self._inference = Inference(
            self.live,
            seen,
            self.quotas,
            max_rows=settings.max_frame_rows,
            max_output_bytes=settings.max_message_bytes // 2,
        )
        self._networks = Networks(
            repository,
            self.live,
            executor,
            self.quotas.holdings,
            clock=_utc_now,
            new_id=_new_id,
            limits=NetworkLimits(
                min(settings.max_network_memory_bytes, _live_memory(settings) - MOST_ID_BYTES),
            ),
            before_deletion=[self.streams.end_network, self.tasks.end_network],
            after_hiding=[self.streams.check_network, self.tasks.check_network],
        )

    def clearing(self) -> Clearing:
        """Return what removes the networks of deleted projects."""
        return Clearing(
            self.verifier.access,
            projects=self._networks.projects,
            clear=self._networks.clear_project,
        )

    def servicers(self) -> Sequence[Servicer]:
        """Return the gRPC services."""
        shipped, turns = shipped_templates(), TemplateTurns()
        return [
            Servicer(
                "hanami.kyouko.v1.TemplateService",
                template_service_pb2_grpc.add_TemplateServiceServicer_to_server,
                TemplateServicer(shipped, turns),
            ),
            Servicer(
                "hanami.kyouko.v1.NetworkService",
                network_service_pb2_grpc.add_NetworkServiceServicer_to_server,
                NetworkServicer(self._networks, shipped, turns),
            ),
            Servicer(
                _TASK_SERVICE,
                task_service_pb2_grpc.add_TaskServiceServicer_to_server,
                TaskServicer(self.tasks),
            ),
            Servicer(
                "hanami.kyouko.v1.LearningService",
                learning_service_pb2_grpc.add_LearningServiceServicer_to_server,
                PairedLearningServicer(self.streams, self._pairs),
            ),
            Servicer(
                "hanami.kyouko.v1.UsageService",
                usage_service_pb2_grpc.add_UsageServiceServicer_to_server,
                UsageServicer(Usage(self.quotas.counts, COUNTED_HERE)),
            ),
            Servicer(
                "inference.GRPCInferenceService",
                grpc_service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server,
                InferenceServicer(
                    self._networks,
                    self._inference,
                    version=version("hanami"),
                    is_ready=Readiness(self.dependencies).is_ready,
                ),
            ),
        ]

    async def drain(self) -> None:
        """End streams and tasks in good order."""
        await asyncio.gather(self.streams.drain(), self.tasks.drain())

    def _execution_tools(
        self, settings: KyoukoSettings, database: Database, networks: NetworkRepository
    ) -> ExecutionTools:
        return ExecutionTools(
            live=self.live,
            networks=networks,
            datasets=self.datasets,
            predictions=CsvPredictionFiles(settings.data_directory / "predictions"),
            board=TaskBoard(SqlTaskRepository(database)),
            tracing=OpenTelemetryTracing(),
            clock=_utc_now,
            terms=TaskTerms(settings.task_frame_rows, settings.dependency_patience_seconds),
            quotas=self.quotas,
            rights=self._rights,
        )

    def _task_rights(self, standings: Standings, seen: SeenNetworks) -> TaskRights:
        access = self.verifier.access
        # Tasks of before a restart begin before any call is taken.
        access.policy.add(contract_rules([_TASK_SERVICE]))
        return TaskRights(
            standings,
            seen,
            rule=lambda: access.policy.rule_of(f"/{_TASK_SERVICE}/CreateTask"),
            deleted_projects=lambda: access.deleted_projects,
        )


async def _blobs(settings: KyoukoSettings) -> BlobStore:
    blobs = settings.blob_store()
    blobs.remove_unfinished()
    await blobs.prepare()
    return blobs


async def _journals(settings: KyoukoSettings) -> Journals:
    return await prepared_journals(
        settings.journal_url,
        folder=settings.data_directory / "journal",
        flush_seconds=settings.journal_flush_seconds,
        pending_bytes=settings.journal_pending_bytes,
        encryption=settings.encryption(),
        nats=NatsOptions(
            credentials_file=settings.journal_credentials_file,
            stream=settings.journal_stream,
            replicas=settings.journal_replicas,
            patience_seconds=settings.journal_patience_seconds,
        ),
    )


def _service_tokens(settings: KyoukoSettings, misaki: grpc.aio.Channel) -> ServiceTokens:
    if settings.service_secret_file is None:
        raise SystemExit(
            "kyouko: HANAMI_SERVICE_SECRET_FILE is not set; without it tasks cannot read data sets"
        )
    return ServiceTokens(misaki, service="kyouko", secret_file=settings.service_secret_file)


def _live_limits(settings: KyoukoSettings) -> LiveLimits:
    return LiveLimits(
        networks=settings.max_live_networks,
        memory_bytes=_live_memory(settings),
        snapshot_rows=settings.snapshot_rows,
        snapshot_seconds=settings.snapshot_seconds,
        idle_seconds=settings.network_idle_seconds,
    )


def _live_memory(settings: KyoukoSettings) -> int:
    # The other half is for snapshots being made, streams, and what comes and goes.
    return settings.live_memory_bytes or usable_memory() // 2


def _stream_limits(settings: KyoukoSettings) -> StreamLimits:
    return StreamLimits(
        streams=settings.max_streams,
        frame_rows=settings.max_frame_rows,
        window_rows=settings.max_outstanding_rows,
        window_bytes=settings.stream_window_bytes,
        memory_bytes=settings.stream_memory_bytes,
        message_bytes=settings.max_message_bytes // 2,
        idle_seconds=settings.stream_idle_seconds,
    )


def _guest_limits(settings: KyoukoSettings) -> Limits:
    return {
        Quota.STREAMS: settings.max_guest_streams,
        Quota.ROWS_PER_SECOND: settings.max_guest_rows_per_second,
    }


async def _warm_up(executor: Executor) -> None:
    loop = asyncio.get_running_loop()
    cached = is_cached()
    if not cached:
        _log.info("compiling kernels")
    seconds = await loop.run_in_executor(executor, warm_up, usable_processors())
    _log.info("kernels ready", cached=cached, seconds=round(seconds, 2))


async def _stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return uuid.uuid4().hex
