"""The settings of azuki."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from mesh.settings import MeshSettings


class AzukiSettings(MeshSettings):
    """azuki measures the machine and the services that run on it."""

    service_name: str = "azuki"
    listen: str = Field(default="127.0.0.1:7004", description="host:port for gRPC")
    interval_seconds: float = Field(
        default=1.0, ge=0.1, le=3600, description="time between two measurements"
    )
    retention_seconds: float = Field(
        default=900.0, gt=0, le=7 * 86400, description="how long measurements are kept"
    )
    process_directory: Path | None = Field(
        default=None,
        description="folder of <service>.pid files; processes are found by their "
        "command line, python -m <service>, when not set",
    )
    measured_services: tuple[str, ...] = Field(
        default=("misaki", "shiori", "kyouko", "azuki", "torii", "envoy"),
        description="the services whose processes are measured; envoy has no command line "
        "of the form above and is found by its pid file only",
    )
    max_points: int = Field(
        default=200_000, ge=1000, description="the most measurements in one answer"
    )
    max_watches_each: int = Field(
        default=32, ge=1, description="how often one user or service may watch at the same time"
    )

    @model_validator(mode="after")
    def _keeps_at_least_one_measurement(self) -> Self:
        if self.retention_seconds < self.interval_seconds:
            raise ValueError("retention_seconds must not be less than interval_seconds")
        return self
