"""An Envoy for the bench: the product's configuration, and one cluster more."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hanami_sdk.local.envoy_config import Address, EnvoyParameters, GrpcRoute, render
from hanami_sdk.local.state import MeshState

LOOPBACK = "127.0.0.1"
_START_SECONDS = 20.0


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextmanager
def bench_gateway(state: MeshState, folder: Path, echo_port: int) -> Iterator[str]:
    """Run an Envoy in front of a running mesh and of the echo server.

    Yields:
        Its host:port.
    """
    listen = Address(LOOPBACK, free_port())
    parameters = EnvoyParameters(
        listen=listen,
        admin=Address(LOOPBACK, free_port()),
        keys=Address(LOOPBACK, free_port()),
        services={
            component.name: Address.parse(component.address)
            for component in state.components
            if component.name != "envoy"
        },
        torii_http=Address.parse(state.torii_http_address),
        access_log="/dev/null",
        extra_grpc_routes=(
            GrpcRoute(
                "echo", "/hanami.bench.v1.", Address(LOOPBACK, echo_port), requires_token=False
            ),
        ),
    )
    configuration = folder / "bench-envoy.yaml"
    configuration.write_text(render(parameters), encoding="utf-8")
    command = [
        str(Path(sys.executable).parent / "envoy"),
        "-c",
        str(configuration),
        "--use-dynamic-base-id",
        "-l",
        "error",
    ]
    with subprocess.Popen(command) as process:
        try:
            _wait_for(listen)
            yield str(listen)
        finally:
            process.terminate()


def _wait_for(address: Address) -> None:
    """Wait until the gateway passes calls on to a service."""
    deadline = time.monotonic() + _START_SECONDS
    with grpc.insecure_channel(str(address)) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while True:
            try:
                health.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=5)
                return
            except grpc.RpcError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
