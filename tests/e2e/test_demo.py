"""The first command of the README, as a newcomer runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hanami_sdk.local import mesh as local_mesh
from hanami_sdk.local.home import MeshHome
from hanami_sdk.local.state import Health
from tests.e2e.conftest import free_port


@pytest.mark.timeout(600)
def test_the_demo_learns_mnist_and_stops_what_it_started(tmp_path: Path) -> None:
    """`hanami demo mnist` starts from zero connections and reaches 96.5 % in one pass."""
    command = Path(sys.executable).parent / "hanami"

    done = subprocess.run(
        [str(command), "demo", "mnist", "--json", "--port", str(free_port())],
        env={**os.environ, "HANAMI_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    figures = json.loads(done.stdout)
    assert figures["test_accuracy"] >= 0.965
    assert figures["stream"]["test_accuracy"] >= 0.965
    assert 0 == figures["connections_before"]
    assert figures["connections_after"] > 10_000
    assert (
        min(figures[k] for k in ("learn_rows_per_second", "learn_seconds", "predict_seconds")) > 0
    )
    assert [] == [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline"])
        if str(tmp_path) in " ".join(process.info["cmdline"] or [])
    ]


@pytest.mark.timeout(600)
def test_the_demo_completes_half_a_mesh_and_stops_only_that(tmp_path: Path) -> None:
    """The figures come first, then what it started is stopped; the rest goes on."""
    home = MeshHome(tmp_path)
    command = Path(sys.executable).parent / "hanami"
    try:
        state = local_mesh.start(home, on_event=lambda event: None, port=free_port())
        local_mesh.stop(home, lambda event: None, names=["azuki", "envoy"])

        done = subprocess.run(
            [str(command), "demo", "mnist"],
            env={**os.environ, "HANAMI_HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=580,
            check=False,
        )

        assert 0 == done.returncode, done.stdout
        figures, _, stopping = done.stdout.partition("Stopping what the demo started")
        assert "test accuracy" in figures
        assert f"hanami up --port {state.port}" in figures
        assert "envoy has stopped" in stopping
        running = {c.name for c in local_mesh.status(home) if c.health is Health.SERVING}
        assert {"misaki", "shiori", "kyouko", "torii"} == running
    finally:
        local_mesh.stop(home, lambda event: None)
