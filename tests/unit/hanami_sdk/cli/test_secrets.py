"""How commands get passwords and secrets, and how they show new ones."""

import io
import json
import stat
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.cli.secrets import SecretSource, new_secret_file, print_secret

SOURCE = SecretSource("password", "--password-file", "HANAMI_TEST_SECRET")


def test_a_file_counts_more_than_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first line, without its end."""
    monkeypatch.setenv("HANAMI_TEST_SECRET", "of-the-environment")
    (tmp_path / "secret").write_text("of the file \r\nsecond line\n")

    assert "of the file " == SOURCE.read(str(tmp_path / "secret"), prompt="?")
    assert "of-the-environment" == SOURCE.read(None, prompt="?")


def test_two_secrets_are_two_lines_of_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading takes one."""
    monkeypatch.setattr("sys.stdin", io.StringIO("first\nsecond\n"))

    assert ["first", "second"] == [SOURCE.read("-", prompt="?") for _ in range(2)]


@pytest.mark.parametrize("text", ["", "\nsecond line\n"])
def test_an_empty_secret_is_none(tmp_path: Path, text: str) -> None:
    """It is told where it is missing."""
    (tmp_path / "secret").write_text(text)

    with pytest.raises(CommandFailure, match="holds no password"):
        SOURCE.read(str(tmp_path / "secret"), prompt="?")


def test_without_anybody_to_ask_the_ways_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The option and the variable."""
    monkeypatch.delenv("HANAMI_TEST_SECRET", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    with pytest.raises(CommandFailure) as caught:
        SOURCE.read(None, prompt="?")

    assert "--password-file FILE, or in HANAMI_TEST_SECRET" in caught.value.hint


def test_a_place_for_a_secret_is_free_and_in_a_folder(tmp_path: Path) -> None:
    """What is there stays."""
    (tmp_path / "taken").touch()

    new_secret_file(None)
    new_secret_file(tmp_path / "free")
    for path in (tmp_path / "taken", tmp_path / "no-folder" / "free"):
        with pytest.raises(CommandFailure):
            new_secret_file(path)


@pytest.mark.parametrize("as_data", [False, True])
def test_a_secret_in_a_file_is_shown_nowhere(
    tmp_path: Path, as_data: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is its owner's alone."""
    path = tmp_path / "secret"

    print_secret({}, "s3cret", as_data=as_data, rows=[], file=path, usage="so")

    shown = capsys.readouterr()
    assert "s3cret\n" == path.read_text()
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert "s3cret" not in shown.out + shown.err
    assert str(path) in shown.out


def test_a_secret_is_shown_with_a_clear_word(capsys: pytest.CaptureFixture[str]) -> None:
    """The word goes to stderr, so that stdout is JSON and nothing else."""
    print_secret({"id": 1}, "s3cret", as_data=True, rows=[], file=None, usage="so")

    shown = capsys.readouterr()
    assert {"id": 1, "secret": "s3cret"} == json.loads(shown.out)
    assert "shown ONCE" in shown.err


def test_a_person_is_asked_twice_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until both are the same, and without showing either."""
    command = typer.Typer()

    @command.command()
    def ask() -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        print(f"<{SOURCE.read(None, prompt='New', confirm=True)}>")

    monkeypatch.delenv("HANAMI_TEST_SECRET", raising=False)
    done = CliRunner().invoke(command, [], input="one\nother\ns3cret\ns3cret\n")

    assert done.stdout.endswith("<s3cret>\n")
    assert 1 == done.output.count("s3cret")
    assert 2 == done.stderr.count("New:")
