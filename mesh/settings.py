"""Settings that every service has, read from the environment and a TOML file.

A service extends `MeshSettings` with its own fields. The environment wins over
the file; names are `HANAMI_` and the field's name in capitals.
"""

import argparse
import tomllib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from mesh.origins import LOOPBACK, Origins
from mesh.tls import MeshTls, TlsError


class MeshSettings(BaseSettings):
    """What every service needs to know."""

    model_config = SettingsConfigDict(env_prefix="HANAMI_", frozen=True, extra="ignore")

    service_name: str
    listen: str = Field(description="host:port for gRPC; port 0 picks a free one")
    data_directory: Path = Field(
        default=Path("data"), description="where this service keeps its files"
    )
    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="SQLAlchemy URL; a SQLite file in data_directory when empty",
    )
    database_url_file: Path | None = Field(
        default=None, description="file with that URL, instead of database_url"
    )
    misaki_address: str = Field(
        default="127.0.0.1:7001", description="host:port of misaki, which publishes the keys"
    )
    shiori_address: str = Field(
        default="127.0.0.1:7002", description="host:port of shiori, which keeps data sets and logs"
    )
    service_secret_file: Path | None = Field(
        default=None, description="file with the secret that services share with misaki"
    )
    tls_directory: Path | None = Field(
        default=None,
        description="folder with ca.crt, tls.crt and tls.key: services prove to each other who "
        "they are, and refuse everybody else; plain connections when not set",
    )
    health_listen: str = Field(
        default="",
        description="host:port that tells the health plainly and nothing else, for probes that "
        "speak no TLS; none when empty",
    )
    token_issuer: str = "hanami"
    token_audience: str = "hanami"
    max_message_bytes: int = Field(default=16 * 2**20, ge=2**16, le=2**30, description="bytes")
    default_timeout_seconds: float = Field(
        default=60.0, gt=0, description="for unary calls without a deadline"
    )
    drain_seconds: float = Field(
        default=10.0, ge=0, description="how long running calls may go on after SIGTERM"
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=LOOPBACK,
        description="addresses and networks of proxies whose x-forwarded-for is believed; those "
        "of this machine unless set",
    )
    trusted_proxy_names: tuple[str, ...] = Field(
        default=("envoy", "torii"),
        description="with tls_directory: names in the certificates of such proxies instead",
    )
    audit_spool_bytes: int = Field(
        default=64 * 2**20,
        ge=2**16,
        description="most bytes of audit entries that wait for shiori; beyond, some are lost",
    )
    quota_warning_percent: int = Field(
        default=80, ge=1, le=100, description="from how much of a quota on callers are warned"
    )
    log_level: str = "INFO"
    debug: bool = False

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Origins(value)
        return value

    @field_validator("listen", "misaki_address", "shiori_address")
    @classmethod
    def _has_host_and_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"{value!r} is not host:port with a port from 0 to 65535")
        return value

    @field_validator("health_listen")
    @classmethod
    def _has_host_and_port_or_nothing(cls, value: str) -> str:
        return cls._has_host_and_port(value) if value else value

    @model_validator(mode="after")
    def _has_one_database(self) -> Self:
        if self.database_url_file is not None and self.database_url.get_secret_value():
            raise ValueError("database_url_file and database_url are both set; use one")
        return self

    @cached_property
    def tls(self) -> MeshTls | None:
        """What this service proves itself with; None for plain connections.

        Raises:
            SystemExit: It cannot be used; the message says why.
        """
        if self.tls_directory is None:
            return None
        try:
            return MeshTls.read(self.tls_directory)
        except TlsError as error:
            raise SystemExit(f"HANAMI_TLS_DIRECTORY: {error}") from error

    @property
    def effective_database_url(self) -> str:
        """The database to use: the one set, or a SQLite file of this service.

        Raises:
            SystemExit: The file with the URL cannot be read.
        """
        if self.database_url_file is not None:
            try:
                return self.database_url_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SystemExit(f"HANAMI_DATABASE_URL_FILE: {error}") from error
        if self.database_url.get_secret_value():
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_directory / self.service_name}.db"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, and arguments over both."""
        values = (
            dict(init_settings.init_kwargs) if isinstance(init_settings, InitSettingsSource) else {}
        )
        from_file = values.pop("_file", {})
        return (
            InitSettingsSource(settings_cls, init_kwargs=values),
            env_settings,
            InitSettingsSource(settings_cls, init_kwargs=from_file),
        )

    @classmethod
    def from_command_line(cls, arguments: Sequence[str] | None = None) -> Self:
        """Read the settings as `python -m <service> [--config FILE] [--debug]` asks for."""
        parser = argparse.ArgumentParser(description=cls.__doc__)
        parser.add_argument("--config", type=Path, help="TOML file with settings")
        parser.add_argument("--debug", action="store_true", help="log more")
        given, unknown = parser.parse_known_args(arguments)
        if unknown:
            # Everybody on the machine can read command lines, so no setting is taken from there,
            # and what was given by mistake is not repeated.
            names = ", ".join(word.partition("=")[0] for word in unknown if word.startswith("--"))
            raise SystemExit(
                f"unknown arguments{': ' if names else ''}{names}; settings are taken from the "
                "environment and from --config FILE, never from the command line"
            )
        values: dict[str, Any] = {"_file": read_toml(given.config) if given.config else {}}
        if given.debug:
            values |= {"debug": True, "log_level": "DEBUG"}
        try:
            return cls(**values)
        except ValidationError as error:
            raise SystemExit(_what_is_wrong(error)) from error


def _what_is_wrong(error: ValidationError) -> str:
    """Return the problems of settings without their values, which may be secret."""
    found = error.errors(include_input=False, include_url=False)
    return "settings: " + "; ".join(map(_in_words, found))


def _in_words(problem: Any) -> str:
    # What concerns several settings together has no place.
    place = ".".join(str(part) for part in problem["loc"]).upper()
    text = str(problem["msg"].removeprefix("Value error, "))
    return f"HANAMI_{place}: {text}" if place else text


def read_toml(path: Path) -> dict[str, Any]:
    """Return the values of a TOML file.

    Raises:
        SystemExit: The file cannot be read; the message says why.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SystemExit(f"cannot read the settings from {path}: {error}") from error
