"""Every setting of misaki; see `mesh.settings` for those all services share."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from mesh.quotas import PROJECT_DEFAULTS, USER_DEFAULTS, Quota, QuotaDefaults
from mesh.settings import MeshSettings

_Limit = Annotated[int, Field(ge=0, le=2**53 - 1)]


class MisakiSettings(MeshSettings):
    """Settings of misaki, the service of identity."""

    service_name: str = "misaki"
    listen: str = Field(
        default="127.0.0.1:7001", description="host:port for gRPC; port 0 picks a free one"
    )
    admin_user_id: str = Field(
        default="", description="id of the admin to create when there is none yet"
    )
    admin_user_name: str = Field(default="", description="name that people read of that admin")
    admin_password: SecretStr = Field(
        default=SecretStr(""), description="first password of that admin"
    )
    admin_password_file: Path | None = Field(
        default=None, description="file with that password, instead of admin_password"
    )
    access_token_seconds: int = Field(default=15 * 60, ge=1, description="life of an access token")
    refresh_token_seconds: int = Field(
        default=24 * 3600, ge=1, description="life of a refresh token"
    )
    refresh_grace_seconds: int = Field(
        default=60, ge=0, description="how long a refresh token that was used gets its successor"
    )
    oidc_file: Path | None = Field(
        default=None, description="TOML file with the OpenID Connect providers to log in with"
    )
    signing_key_days: float = Field(
        default=90.0, gt=0, description="a key that has signed for so long is replaced"
    )
    signing_key_ahead_seconds: int = Field(
        default=15 * 60, ge=0, description="how long a new key is published before it signs"
    )
    session_seconds: int = Field(
        default=30 * 24 * 3600, ge=1, description="a login ends then, however often it is renewed"
    )
    password_memory_kib: int = Field(
        default=64 * 1024, ge=8 * 1024, description="memory of one Argon2id hash, KiB"
    )
    project_quota: dict[Quota, _Limit] = Field(
        default={}, description="default limits of every project that differ from the shipped ones"
    )
    user_quota: dict[Quota, _Limit] = Field(
        default={}, description="the same of every user, in all projects together"
    )

    @property
    def quota_defaults(self) -> QuotaDefaults:
        """The limits of all who have none of their own."""
        return QuotaDefaults(
            {**PROJECT_DEFAULTS, **self.project_quota}, {**USER_DEFAULTS, **self.user_quota}
        )
