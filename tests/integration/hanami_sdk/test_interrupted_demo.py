"""Ctrl-C in the middle of the demo."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import free_port


@pytest.mark.timeout(400)
def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path) -> None:
    """It stops what it started, says so in a word, and shows no stack trace."""
    command = [str(Path(sys.executable).parent / "hanami"), "demo", "mnist", "--json"]
    with subprocess.Popen(
        [*command, "--port", str(free_port())],
        env={**os.environ, "HANAMI_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts its background jobs deaf to Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as demo:
        assert demo.stderr is not None
        told = []
        for line in demo.stderr:
            told.append(line)
            if "Learning by a task" in line:
                break
        demo.send_signal(signal.SIGINT)
        output, rest = demo.communicate(timeout=60)

    assert demo.returncode == 130, "".join(told) + rest
    assert output == ""
    assert "Stopping what the demo started" in rest
    assert "Traceback" not in rest
    assert not [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(tmp_path) in " ".join(process.info["cmdline"] or [])
    ]
