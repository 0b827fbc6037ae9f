"""Every setting of shiori; see `mesh.settings` for those all services share."""

from pydantic import Field

from mesh.blobs import BlobStore, BlobUrl
from mesh.encryption.settings import ObjectSettings


class ShioriSettings(ObjectSettings):
    """Settings of shiori, the service of data sets and logs."""

    service_name: str = "shiori"
    listen: str = Field(
        default="127.0.0.1:7002", description="host:port for gRPC; port 0 picks a free one"
    )
    blob_url: BlobUrl = Field(
        default="", description="file: or s3: URL of tables; a folder in data_directory if empty"
    )
    max_upload_bytes: int = Field(
        default=4 * 2**30, ge=1, description="the most bytes of all files of one upload"
    )
    upload_idle_seconds: float = Field(
        default=120.0, gt=0, description="how long a client may stay silent during an upload"
    )
    max_uploads_per_user: int = Field(
        default=4, ge=1, description="uploads of one user at the same time"
    )
    max_reads_per_user: int = Field(
        default=16, ge=1, description="ReadDataset streams of one user at the same time"
    )
    conversion_threads: int = Field(
        default=1, ge=1, le=64, description="uploads converted at the same time"
    )
    file_threads: int = Field(
        default=4, ge=1, le=64, description="threads that read tables and write uploads"
    )
    audit_retention_days: float = Field(
        default=365.0, gt=0, description="how long entries of the audit log are kept"
    )
    audit_max_bytes: int = Field(
        default=2 * 2**30, ge=2**20, description="the most bytes of them; the oldest go first"
    )
    error_retention_days: float = Field(
        default=30.0, gt=0, description="how long records of errors are kept"
    )
    error_max_bytes: int = Field(
        default=256 * 2**20, ge=2**20, description="the most bytes of them; the oldest go first"
    )
    log_sweep_seconds: float = Field(
        default=60.0, gt=0, description="time between two looks for what is to be removed"
    )
    max_watches_per_user: int = Field(
        default=8, ge=1, description="watches of the audit log of one user at the same time"
    )

    def blob_store(self) -> BlobStore:
        """Return where tables are kept; it is not prepared yet."""
        folder = self.data_directory / "blobs"
        return BlobStore.at(
            self.blob_url, service="shiori", default=folder, encryption=self.encryption()
        )
