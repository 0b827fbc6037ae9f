"""`hanami stream` on a real mesh: killed and gone on with, followed, over a lost server."""

import contextlib
import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from hanami_sdk import Client
from hanami_sdk.local import mesh as local_mesh
from tests.integration.hanami_sdk.conftest import Command, RunningMesh

ROWS = 3000


def _lines(count: int, first: int = 0) -> list[str]:
    rows = ((n, (n * 37) % 101, (n * 53) % 97) for n in range(first, first + count))
    return [f"{n},{a},{b},{'left' if a > b else 'right'}\n" for n, a, b in rows]


@pytest.fixture
def sensor_csv(tmp_path: Path) -> Path:
    """Return a CSV of many rows, with a time in each."""
    path = tmp_path / "sensor.csv"
    path.write_text("at,left,right,larger\n" + "".join(_lines(ROWS)))
    return path


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(mesh: RunningMesh, hanami: Command, project: str) -> Start:
    """Return what starts `hanami stream` as a process of its own."""
    environment = {
        **os.environ,
        "HANAMI_HOME": str(mesh.home.root),
        "HANAMI_PROJECT": project,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }

    def run(*words: str, screen: int = subprocess.PIPE) -> subprocess.Popen[str]:
        # A shell starts its background jobs deaf to Ctrl-C, and children inherit that.
        hear = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
        call = f"{hear}; from hanami_sdk.cli import main; main()"
        return subprocess.Popen(
            [sys.executable, "-c", call, "stream", *words],
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=screen,
        )

    return run


def _learned(client: Client) -> int:
    return client.networks.get("s1").statistics.learned_rows


def _wait_until(is_so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail("\n".join(process.communicate()))
        time.sleep(0.02)


def _end(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    return out, err


def test_a_stream_that_is_killed_again_and_again_learns_every_row_once(
    client: Client, start: Start, sensor_csv: Path
) -> None:
    """After each SIGKILL the same command goes on where the server is."""
    client.networks.create("s1", template="flat", channels=2)
    words = ("s1", str(sensor_csv), "--label", "larger", "--time", "at", "--frame-rows", "7")
    chance = random.Random(5)

    for stop in (300, 900, 1500):
        process = start(*words, "--replay", "400x", "--json")
        _wait_until(lambda stop=stop: _learned(client) > stop, process)  # type: ignore[misc]
        time.sleep(chance.random() / 5)
        process.kill()
        process.communicate()
    out, _ = _end(start(*words, "--json"))

    summary = json.loads(out.splitlines()[-1])["summary"]
    assert ROWS == _learned(client)
    assert ROWS == summary["learned_rows"] == summary["kept_rows"]
    assert summary["rows"] < ROWS - 1500
    assert summary["window"]["network"] > summary["window"]["last class"]


def test_a_file_is_followed_over_its_rotation(client: Client, start: Start, tmp_path: Path) -> None:
    """Rows of the old file and of the new one are learned, and Ctrl-C ends in good order."""
    client.networks.create("s1", template="flat", channels=2)
    path, header = tmp_path / "live.csv", "at,left,right,larger\n"
    path.write_text(header + "".join(_lines(50)))
    words = ("s1", str(path), "--label", "larger", "--time", "at", "--follow", "--every", "0.2")

    process = start(*words)
    _wait_until(lambda: _learned(client) == 50, process)
    with path.open("a") as file:
        file.write("".join(_lines(10, 50)))
    _wait_until(lambda: _learned(client) == 60, process)
    path.rename(tmp_path / "live.csv.1")
    path.write_text(header + "".join(_lines(20, 60)))
    _wait_until(lambda: _learned(client) == 80, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert 130 == process.returncode, err
    assert "Going on with the new" in err
    assert "Learned 80 rows, all durable." in err


def test_rows_that_came_while_nobody_watched_are_learned_once(
    client: Client, start: Start, tmp_path: Path
) -> None:
    """The rest of a file that was rotated meanwhile comes first, then the new file."""
    client.networks.create("s1", template="flat", channels=2)
    path = tmp_path / "live.jsonl"

    def rows(count: int, first: int) -> str:
        cells = (line.strip().split(",") for line in _lines(count, first))
        found: list[dict[str, Any]] = [
            {"pump": {"left": int(a), "right": int(b)}, "larger": label} for _, a, b, label in cells
        ]
        return "".join(f"{json.dumps(row)}\n" for row in found)

    path.write_text(rows(50, 0))
    words = ("s1", str(path), "--label", "larger", "--follow", "--every", "0.2")
    first = start(*words)
    _wait_until(lambda: _learned(client) == 50, first)
    first.kill()
    first.communicate()
    with path.open("a") as file:
        file.write(rows(30, 50))
    path.rename(tmp_path / "live.jsonl.1")
    path.write_text(rows(7, 80))

    second = start(*words)
    _wait_until(lambda: _learned(client) == 87, second)
    second.send_signal(signal.SIGTERM)
    _, err = second.communicate(timeout=60)

    assert "Learned 37 rows, all durable." in err
    assert 87 == _learned(client)


def test_a_lost_server_is_waited_for(
    mesh: RunningMesh, client: Client, start: Start, sensor_csv: Path
) -> None:
    """What the server did not have is sent again, and the command says that it was lost."""
    client.networks.create("s1", template="flat", channels=2)
    process = start("s1", str(sensor_csv), "--label", "larger", "--time", "at", "--replay", "300x")
    _wait_until(lambda: _learned(client) > 200, process)
    state = local_mesh.running_state(mesh.home)
    component = state.component("kyouko") if state else None
    assert component is not None
    victim = psutil.Process(component.pid)
    victim.kill()
    victim.wait(10)
    local_mesh.restart(mesh.home, "kyouko", lambda event: None)

    _, err = _end(process)

    assert ROWS == _learned(client)
    assert "The server was lost and found again" in err


def test_another_file_in_the_place_of_the_old_one_is_refused(
    client: Client, hanami: Command, tmp_path: Path
) -> None:
    """A bookmark does not fit a file that was changed; --fresh begins anew."""
    client.networks.create("s1", template="flat", channels=2)
    path = tmp_path / "rows.csv"
    path.write_text("left,right,larger\n1,2,right\n2,1,left\n")
    words = ("stream", "s1", str(path), "--label", "larger")
    first = hanami(*words)
    path.write_text("left,right,larger\n3,4,right\n5,6,right\n7,8,right\n")

    changed, fresh = hanami(*words), hanami(*words, "--fresh", "--json")

    assert (0, 1, 0) == (first.exit_code, changed.exit_code, fresh.exit_code)
    assert "is not the file of before" in changed.stderr
    assert "--fresh" in changed.stderr
    assert 5 == _learned(client)


def test_a_terminal_shows_a_plot(client: Client, start: Start, sensor_csv: Path) -> None:
    """The network's bars stand above those of the best naive guess."""
    client.networks.create("s1", template="flat", channels=2)
    ours, theirs = pty.openpty()
    words = ("s1", str(sensor_csv), "--label", "larger", "--time", "at", "--replay", "1000x")

    process = start(*words, screen=theirs)
    os.close(theirs)
    shown = bytearray()
    with contextlib.suppress(OSError):  # So a terminal ends that nobody writes to any more.
        while data := os.read(ours, 65536):
            shown += data
    process.communicate(timeout=60)
    os.close(ours)

    text = shown.decode(errors="replace")
    assert 0 == process.returncode, text
    assert re.search("network .*[▁▂▃▄▅▆▇█].*%", text)
    assert re.search("(majority|last) class .*[▁▂▃▄▅▆▇█].*%", text)
    assert "rows/s" in text
    assert "Learned 3,000 rows, all durable." in text
