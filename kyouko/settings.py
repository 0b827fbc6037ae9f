"""Every setting of kyouko; see `mesh.settings` for those all services share."""

from pathlib import Path

from pydantic import Field

from kyouko.storage.journal import JournalUrl
from mesh.blobs import BlobStore, BlobUrl
from mesh.encryption.settings import ObjectSettings
from mesh.quotas import GUEST_DEFAULTS, Quota


class KyoukoSettings(ObjectSettings):
    """Settings of kyouko, the service of networks, tasks and streams."""

    service_name: str = "kyouko"
    listen: str = Field(
        default="127.0.0.1:7003", description="host:port for gRPC; port 0 picks a free one"
    )
    blob_url: BlobUrl = Field(
        default="", description="file: or s3: URL of snapshots; a folder in data_directory if empty"
    )
    journal_url: JournalUrl = Field(
        default="",
        description="file: or nats: URL of journals; a folder in data_directory if empty",
    )
    journal_flush_seconds: float = Field(
        default=0.01,
        gt=0,
        le=60,
        description="how long learned rows are gathered before they are written and synced",
    )
    journal_pending_bytes: int = Field(
        default=64 * 2**20,
        ge=2**20,
        description="most memory for learned rows that are not durable yet, bytes",
    )
    journal_credentials_file: Path | None = Field(
        default=None,
        description="for NATS: its credentials file, or a file with user:password, or a token",
    )
    journal_stream: str = Field(
        default="hanami-journal",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="for NATS: the stream that holds the journals; made when missing",
    )
    journal_replicas: int = Field(
        default=1, ge=1, le=5, description="for NATS: servers that keep a copy of a new stream"
    )
    journal_patience_seconds: float = Field(
        default=5.0, gt=0, description="for NATS: how long it may be away before clients are told"
    )
    worker_threads: int = Field(
        default=0, ge=0, le=1024, description="threads that run kernels; the CPU quota when 0"
    )
    max_live_networks: int = Field(default=64, ge=1, description="most networks in memory")
    live_memory_bytes: int = Field(
        default=0,
        ge=0,
        description="most memory for all networks in memory, bytes; half of what there is when 0",
    )
    max_network_memory_bytes: int = Field(
        default=2 * 2**30, ge=2**20, description="most memory one network may be given, bytes"
    )
    snapshot_rows: int = Field(
        default=1_000_000, ge=1, description="rows learned after which a snapshot is due"
    )
    snapshot_seconds: float = Field(
        default=30.0, gt=0, description="time after which learned rows get a snapshot"
    )
    network_idle_seconds: float = Field(
        default=60.0, gt=0, description="time after which a network nobody uses leaves memory"
    )
    task_frame_rows: int = Field(
        default=512, ge=1, le=65536, description="rows a task hands to a network at a time"
    )
    dependency_patience_seconds: float = Field(
        default=30.0, ge=0, description="how long a running task waits for a lost shiori"
    )
    max_streams: int = Field(default=256, ge=1, description="most learning streams at once")
    max_guest_streams: int = Field(
        default=GUEST_DEFAULTS[Quota.STREAMS],
        ge=0,
        description="most streams at once of all guests of a project; a quarter of all at most",
    )
    max_guest_rows_per_second: int = Field(
        default=GUEST_DEFAULTS[Quota.ROWS_PER_SECOND],
        ge=0,
        description="most rows in a second of all guests of a project; nothing when 0",
    )
    max_frame_rows: int = Field(default=4096, ge=1, description="most rows in one frame")
    max_outstanding_rows: int = Field(
        default=8192, ge=1, description="most rows of a stream under way unanswered"
    )
    stream_window_bytes: int = Field(
        default=32 * 2**20, ge=2**16, description="most memory for a stream's rows under way, bytes"
    )
    stream_memory_bytes: int = Field(
        default=512 * 2**20,
        ge=2**16,
        description="most memory for the rows under way of all streams together, bytes",
    )
    stream_idle_seconds: float = Field(
        default=15.0, gt=0, description="quiet time after which a stream gets a progress message"
    )
    pair_idle_seconds: float = Field(
        default=900.0,
        gt=0,
        description="quiet time after which a stream in two halves (OpenLearning) ends",
    )

    def blob_store(self) -> BlobStore:
        """Return where snapshots are kept; it is not prepared yet."""
        folder = self.data_directory / "snapshots"
        return BlobStore.at(
            self.blob_url, service="kyouko", default=folder, encryption=self.encryption()
        )
