"""The environment that each service is started with."""

from pathlib import Path

import pytest

from hanami_sdk.local.components import (
    Addresses,
    envoy_command,
    gateway_environment,
    kernel_cache,
    kernels_are_cold,
    service_command,
    service_environment,
)
from hanami_sdk.local.envoy_config import SERVICES
from hanami_sdk.local.home import MeshHome

ADDRESSES = Addresses(
    {name: f"127.0.0.1:{7001 + i}" for i, name in enumerate(SERVICES)},
    torii_http="127.0.0.1:7006",
    envoy_admin="127.0.0.1:7007",
    envoy_keys="127.0.0.1:7008",
)


def environment(service: str, otlp_endpoint: str | None = None) -> dict[str, str]:
    """Return the environment of a service in some home."""
    return service_environment(service, MeshHome(Path("/home-of-mesh")), ADDRESSES, otlp_endpoint)


@pytest.mark.parametrize("service", SERVICES)
def test_service_knows_its_place_and_its_neighbours(service: str) -> None:
    """Every service is told where to listen, where to keep data and where the others are."""
    found = environment(service)

    assert ADDRESSES.services[service] == found["HANAMI_LISTEN"]
    assert f"/home-of-mesh/data/{service}" == found["HANAMI_DATA_DIRECTORY"]
    assert "127.0.0.1:7003" == found["HANAMI_KYOUKO_ADDRESS"]
    assert "/home-of-mesh/secrets/service-secret" == found["HANAMI_SERVICE_SECRET_FILE"]


def test_only_misaki_gets_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password from the environment reaches misaki and no other service."""
    monkeypatch.setenv("HANAMI_ADMIN_PASSWORD", "from-outside")
    private = ("PASSWORD", "NEW_PASSWORD", "API_KEY", "CLIENT_SECRET")
    for name in private:
        monkeypatch.setenv(f"HANAMI_{name}", "of-the-command")

    holders = [name for name in SERVICES if "from-outside" in environment(name).values()]

    assert ["misaki"] == holders
    assert not any("of-the-command" in environment(name).values() for name in SERVICES)


def test_envoy_gets_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway's process sees no password, and everything that is nobody's secret."""
    monkeypatch.setenv("HANAMI_ADMIN_PASSWORD", "from-outside")
    monkeypatch.setenv("HANAMI_PASSWORD", "of-the-command")
    monkeypatch.setenv("HANAMI_DATABASE_URL", "postgresql://with-a-password")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-object-store")
    monkeypatch.setenv("SSL_CERT_FILE", "/authorities.pem")

    found = gateway_environment()

    assert "/authorities.pem" == found["SSL_CERT_FILE"]
    assert not [name for name in found if name.startswith(("HANAMI_", "AWS_"))]


def test_only_those_who_keep_objects_get_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the home reaches shiori and kyouko; one from the environment takes its place."""
    for name in ("HANAMI_ENCRYPTION_KEYS", "HANAMI_ENCRYPTION_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    path = "/home-of-mesh/secrets/encryption-key"
    of_the_home = [name for name in SERVICES if path in environment(name).values()]

    monkeypatch.setenv("HANAMI_ENCRYPTION_KEYS", "from-outside")
    from_outside = [name for name in SERVICES if "from-outside" in environment(name).values()]

    assert ["shiori", "kyouko"] == of_the_home
    assert ["shiori", "kyouko"] == from_outside
    assert path not in environment("kyouko").values()


def test_admin_has_defaults_and_a_generated_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without anything in the environment misaki gets a user, a name and a password file."""
    for name in ("USER_ID", "USER_NAME", "PASSWORD", "PASSWORD_FILE"):
        monkeypatch.delenv(f"HANAMI_ADMIN_{name}", raising=False)

    found = environment("misaki")

    assert "admin" == found["HANAMI_ADMIN_USER_ID"]
    assert found["HANAMI_ADMIN_USER_NAME"]
    assert "/home-of-mesh/secrets/admin-password" == found["HANAMI_ADMIN_PASSWORD_FILE"]


def test_other_settings_of_the_user_reach_every_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting in the user's environment holds for the services."""
    monkeypatch.setenv("HANAMI_SNAPSHOT_ROWS", "5")

    assert "5" == environment("kyouko")["HANAMI_SNAPSHOT_ROWS"]


def test_otlp_endpoint_reaches_every_service() -> None:
    """With an endpoint every service exports to it."""
    found = {environment(name, "http://c:4317")["OTEL_EXPORTER_OTLP_ENDPOINT"] for name in SERVICES}

    assert {"http://c:4317"} == found


def test_kernel_cache_is_the_users_unless_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled kernels go to the user's cache, or where NUMBA_CACHE_DIR says."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert "kernels" == kernel_cache().name

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))

    assert str(tmp_path) == environment("kyouko")["NUMBA_CACHE_DIR"]


def test_kernels_are_cold_until_one_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty or missing cache is cold, one with a compiled kernel is not."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    assert kernels_are_cold()

    (tmp_path / "cache" / "stamp").mkdir(parents=True)
    (tmp_path / "cache" / "stamp" / "kernel.nbc").write_bytes(b"")

    assert not kernels_are_cold()


def test_debug_reaches_services_and_envoy() -> None:
    """The debug option is passed on."""
    assert "--debug" in service_command("misaki", debug=True)
    assert "--debug" not in service_command("misaki", debug=False)
    assert "info" in envoy_command(MeshHome(Path("/h")), debug=True)
