"""The command as people call it, without a mesh."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from hanami_sdk.cli import local
from hanami_sdk.cli.app import app
from hanami_sdk.cli.demo import mnist_data
from hanami_sdk.local import mesh as local_mesh
from hanami_sdk.local.errors import PortOccupied
from hanami_sdk.local.state import ComponentStatus, Health

RUNNER = CliRunner()


def all_commands() -> Iterator[tuple[str, ...]]:
    """Yield the words of every command."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        children = getattr(command, "commands", None)
        if not children:
            yield words
        for name, child in (children or {}).items():
            yield from walk(child, (*words, name))

    yield from walk(typer.main.get_command(app), ())


@pytest.fixture(autouse=True)
def no_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test an empty home without a mesh."""
    monkeypatch.setenv("HANAMI_HOME", str(tmp_path))
    for name in ("HANAMI_URL", "HANAMI_PROJECT", "HANAMI_USER", "HANAMI_PASSWORD", "HANAMI_DEBUG"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("words", list(all_commands()), ids=" ".join)
def test_every_command_teaches_and_speaks_json(words: tuple[str, ...]) -> None:
    """Its help has an example and the option --json."""
    done = RUNNER.invoke(app, [*words, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})

    assert done.exit_code == 0
    assert re.search(r"Examples?:", done.stdout)
    assert f"hanami {' '.join(words)}" in done.stdout
    assert "--json" in done.stdout


def test_the_help_comes_quickly() -> None:
    """Neither grpc nor numpy is loaded for it."""
    script = (
        "import sys; from hanami_sdk.cli.app import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('grpc', 'numpy', 'google.protobuf') if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "[]"


def test_without_a_login_the_way_to_one_is_told() -> None:
    """Exit code 1, a hint, nothing on stdout, no stack trace."""
    done = RUNNER.invoke(app, ["network", "list", "--project", "demo", "--json"])

    assert done.exit_code == 1
    assert done.stdout == ""
    assert "hanami login" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_login_elsewhere_needs_a_user() -> None:
    """Only a local mesh knows its administrator: a usage error."""
    done = RUNNER.invoke(app, ["login", "--url", "https://mesh.example.org"])

    assert done.exit_code == 2
    assert "hanami login USER" in done.stderr


def test_a_password_is_never_waited_for_in_a_pipe() -> None:
    """Without a terminal the ways to give it are told."""
    done = RUNNER.invoke(app, ["login", "alice", "--url", "http://127.0.0.1:1"])

    assert done.exit_code == 2
    assert "--password-file" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["network", "create"],
        ["network", "create", "n1", "--channels", "none"],
        ["network", "create", "n1", "--template", "flat", "--template-file", "t.yaml"],
        ["dataset", "upload", "d1"],
        ["dataset", "upload", "d1", "/no/such/file.csv"],
        ["dataset", "upload", "missing.csv"],
        ["learn", "n1"],
    ],
)
def test_wrong_calls_end_with_code_two(arguments: list[str]) -> None:
    """Usage errors differ from failures."""
    done = RUNNER.invoke(app, arguments)

    assert done.exit_code == 2
    assert done.stdout == ""


def test_a_file_name_that_is_no_name_is_told(tmp_path: Path) -> None:
    """The hint has the command that works."""
    file = tmp_path / "1.csv"
    file.write_text("a\n1\n")

    done = RUNNER.invoke(app, ["dataset", "upload", str(file)])

    assert done.exit_code == 2
    assert f"hanami dataset upload NAME {file}" in done.stderr


def test_local_errors_come_with_their_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    """An occupied port says who holds it and what to do."""

    def occupied(*_: object, **__: object) -> None:
        raise PortOccupied("127.0.0.1", 1337, "nginx (process 7)")

    monkeypatch.setattr(local_mesh, "start", occupied)

    done = RUNNER.invoke(app, ["up"])

    assert done.exit_code == 1
    assert "nginx (process 7)" in done.stderr
    assert "Hint: Choose another port" in done.stderr


def test_the_demo_names_its_own_way_to_another_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint is the command that was typed."""

    def occupied(*_: object, **__: object) -> None:
        raise PortOccupied("127.0.0.1", 1337, "nginx (process 7)")

    monkeypatch.setattr(local_mesh, "start", occupied)
    monkeypatch.setattr(mnist_data, "fetch", lambda say: None)

    done = RUNNER.invoke(app, ["demo", "mnist"])

    assert done.exit_code == 1
    assert "Hint: Choose another port: hanami demo mnist --port PORT" in done.stderr


def test_a_surprise_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a mistake of ours shows no stack trace, unless it is asked for."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(local_mesh, "stop", broken)

    done = RUNNER.invoke(app, ["down"])
    debugged = RUNNER.invoke(app, ["--debug", "down"])

    assert done.exit_code == 1
    assert "ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr
    assert isinstance(debugged.exception, ZeroDivisionError)


@pytest.mark.parametrize(("health", "code"), [(Health.SERVING, 0), (Health.UNREACHABLE, 1)])
def test_status_tells_by_its_exit_code(
    health: Health, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A script can ask whether all is well; JSON says the rest."""
    component = ComponentStatus(
        "kyouko", health, "127.0.0.1:7003", tmp_path / "kyouko.log", 7, 1_000_000, 3.5
    )
    monkeypatch.setattr(local_mesh, "status", lambda home: [component])
    monkeypatch.setattr(local_mesh, "running_state", lambda home: None)

    done = RUNNER.invoke(app, ["status", "--json"])

    assert done.exit_code == code
    assert json.loads(done.stdout)["services"][0]["health"] == str(health)


def test_logs_are_one_story(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last lines of all parts by time; as they were written with --json."""
    first, second = (
        json.dumps({"event": "serving", "level": "info", "timestamp": f"2026-01-01T00:00:0{n}.5Z"})
        for n in (1, 2)
    )
    (tmp_path / "kyouko.log").write_text(f"{second}\n")
    (tmp_path / "misaki.log").write_text(f"old\n{first}\n")
    (tmp_path / "access.log").write_text("a call\n")
    names = ("kyouko", "misaki", "envoy", "access")
    monkeypatch.setattr(
        local_mesh, "log_paths", lambda home: {name: tmp_path / f"{name}.log" for name in names}
    )

    told = RUNNER.invoke(app, ["logs", "-n", "2"])
    raw = RUNNER.invoke(app, ["logs", "-n", "2", "--json"])
    calls = RUNNER.invoke(app, ["logs", "access"])
    unknown = RUNNER.invoke(app, ["logs", "nobody"])

    assert [line.split() for line in told.stdout.splitlines()] == [
        ["2026-01-01T00:00:01.5Z", "misaki", "info", "serving"],
        ["2026-01-01T00:00:02.5Z", "kyouko", "info", "serving"],
    ]
    assert raw.stdout == f"{first}\n{second}\n"
    assert calls.stdout.split() == ["access", "a", "call"]
    assert unknown.exit_code == 2
    assert "kyouko, misaki, envoy, access" in unknown.stderr


def test_events_are_told_with_their_time(capsys: pytest.CaptureFixture[str]) -> None:
    """What takes long is explained while it happens, on stderr."""
    from hanami_sdk.local.state import EventKind, StartEvent

    local.show_event(StartEvent(EventKind.COMPILING, "kyouko", "kyouko compiles its kernels", 2.25))

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "2.2 s  kyouko compiles its kernels" in captured.err
