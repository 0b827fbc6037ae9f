"""Settings from environment, file and command line."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from mesh.settings import MeshSettings


class GardenSettings(MeshSettings):
    """Settings of a service that does not exist."""

    service_name: str = "garden"
    listen: str = "127.0.0.1:7999"
    flowers: int = 3


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LISTEN", "FLOWERS", "DEBUG", "LOG_LEVEL", "DATA_DIRECTORY", "DATABASE_URL"):
        monkeypatch.delenv(f"HANAMI_{name}", raising=False)


def _file(folder: Path, content: str) -> list[str]:
    path = folder / "settings.toml"
    path.write_text(content, encoding="utf-8")
    return ["--config", str(path)]


def test_defaults_need_nothing() -> None:
    """Without environment and file every setting has its default."""
    settings = GardenSettings.from_command_line([])

    assert (3, "127.0.0.1:7999", False) == (settings.flowers, settings.listen, settings.debug)


def test_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """`HANAMI_` and the name in capitals sets a value."""
    monkeypatch.setenv("HANAMI_FLOWERS", "7")

    assert 7 == GardenSettings.from_command_line([]).flowers


def test_file_is_read(tmp_path: Path) -> None:
    """A TOML file sets values by their names in lower case."""
    arguments = _file(tmp_path, 'flowers = 5\nlisten = "0.0.0.0:1"\n')

    settings = GardenSettings.from_command_line(arguments)

    assert (5, "0.0.0.0:1") == (settings.flowers, settings.listen)


def test_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process is given itself beats what many may share."""
    monkeypatch.setenv("HANAMI_FLOWERS", "7")

    settings = GardenSettings.from_command_line(
        _file(tmp_path, 'flowers = 5\nlog_level = "WARNING"')
    )

    assert (7, "WARNING") == (settings.flowers, settings.log_level)


def test_debug_wins_over_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--debug` logs more, whatever else is set."""
    monkeypatch.setenv("HANAMI_LOG_LEVEL", "ERROR")

    settings = GardenSettings.from_command_line(
        ["--debug", *_file(tmp_path, 'log_level = "WARNING"')]
    )

    assert (True, "DEBUG") == (settings.debug, settings.log_level)


@pytest.mark.parametrize(
    ("content", "problem"), [("flowers = [", "settings.toml"), ("flowers = 'x'", "HANAMI_FLOWERS")]
)
def test_bad_file_is_one_clear_line(tmp_path: Path, content: str, problem: str) -> None:
    """A file that is no TOML, or holds a wrong value, ends the process with a sentence."""
    with pytest.raises(SystemExit) as caught:
        GardenSettings.from_command_line(_file(tmp_path, content))

    assert problem in str(caught.value.code)
    assert "\n" not in str(caught.value.code).replace("\n  ", "")


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there ends the process with its name."""
    with pytest.raises(SystemExit, match=r"nowhere\.toml"):
        GardenSettings.from_command_line(["--config", str(tmp_path / "nowhere.toml")])


@pytest.mark.parametrize("listen", ["7001", "host:", "host:99999", "host:x", ":1", ""])
def test_bad_address_is_named(monkeypatch: pytest.MonkeyPatch, listen: str) -> None:
    """An address without host or port names its setting and what it should be."""
    monkeypatch.setenv("HANAMI_LISTEN", listen)

    with pytest.raises(SystemExit, match=r"HANAMI_LISTEN: .* is not host:port"):
        GardenSettings.from_command_line([])


def test_settings_do_not_change() -> None:
    """Settings are frozen."""
    settings = GardenSettings.from_command_line([])

    with pytest.raises(ValidationError):
        settings.flowers = 4


def test_database_is_a_file_in_the_data_directory(tmp_path: Path) -> None:
    """Without a URL the database is a SQLite file named after the service."""
    settings = GardenSettings(data_directory=tmp_path)

    assert f"sqlite+aiosqlite:///{tmp_path}/garden.db" == settings.effective_database_url


def test_database_url_is_used_as_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that is set is the database."""
    monkeypatch.setenv("HANAMI_DATABASE_URL", "postgresql+asyncpg://db/x")

    settings = GardenSettings.from_command_line([])

    assert "postgresql+asyncpg://db/x" == settings.effective_database_url
