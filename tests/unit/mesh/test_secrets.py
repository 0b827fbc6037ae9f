"""Secrets come from files and the environment, and are never shown."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from azuki.settings import AzukiSettings
from kyouko.settings import KyoukoSettings
from mesh.settings import MeshSettings
from misaki.settings import MisakiSettings
from shiori.settings import ShioriSettings
from torii.settings import ToriiSettings

ALL = (MisakiSettings, ShioriSettings, KyoukoSettings, AzukiSettings, ToriiSettings)
# What the names of secrets have in them, and what such names may mean besides.
SECRET_WORDS = ("password", "secret", "key", "credential", "database_url")
NO_SECRETS = ("_seconds", "_kib", "_bytes", "_per_", "_required", "max_", "_age", "_days", "_count")


def secrets_of(settings: type[MeshSettings]) -> list[str]:
    """Return the names of the fields that hold secrets themselves or say where they are."""
    return [
        name
        for name in settings.model_fields
        if any(word in name for word in SECRET_WORDS)
        and not any(part in name for part in NO_SECRETS)
    ]


@pytest.mark.parametrize("settings", ALL)
def test_every_secret_is_a_file_or_hides_its_value(settings: type[MeshSettings]) -> None:
    """A setting that is named like a secret is a path to it, or of a type that does not show it."""
    open_ones = [
        name
        for name in secrets_of(settings)
        if settings.model_fields[name].annotation not in (SecretStr, Path | None)
    ]

    assert [] == open_ones


@pytest.mark.parametrize("settings", ALL)
def test_no_secret_shows_in_settings(
    settings: type[MeshSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Printing, dumping and logging settings shows no secret."""
    hidden = [n for n in secrets_of(settings) if settings.model_fields[n].annotation is SecretStr]
    for name in hidden:
        monkeypatch.setenv(f"HANAMI_{name.upper()}", "A" * 43 + "=")

    found = settings.from_command_line([])

    shown = f"{found!r} {found} {found.model_dump()} {found.model_dump_json()}"
    assert "database_url" in hidden
    assert "A" * 43 not in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ["--database-url=postgresql://hanami:tiger@db/x"],
        ["--database-url", "postgresql://hanami:tiger@db/x"],
        ["--encryption-keys", "tiger"],
        ["tiger"],
    ],
)
def test_secrets_on_command_lines_are_refused(arguments: list[str]) -> None:
    """A service does not start with them, and does not repeat them into a log."""
    with pytest.raises(SystemExit) as caught:
        KyoukoSettings.from_command_line(arguments)

    assert "never from the command line" in str(caught.value)
    assert "tiger" not in str(caught.value)


def test_database_url_comes_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL with its password need not stand in the environment."""
    path = tmp_path / "url"
    path.write_text("postgresql+asyncpg://hanami:tiger@db/x\n")
    monkeypatch.setenv("HANAMI_DATABASE_URL_FILE", str(path))

    settings = MisakiSettings.from_command_line([])

    assert "postgresql+asyncpg://hanami:tiger@db/x" == settings.effective_database_url


def test_missing_file_of_the_database_url_ends_the_start(tmp_path: Path) -> None:
    """The message names the setting and the file."""
    settings = MisakiSettings(database_url_file=tmp_path / "none")

    with pytest.raises(SystemExit, match=r"HANAMI_DATABASE_URL_FILE: .*none"):
        _ = settings.effective_database_url


def test_two_database_urls_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to guess which of them counts, and the URL is not repeated."""
    monkeypatch.setenv("HANAMI_DATABASE_URL", "postgresql://hanami:tiger@db/x")
    monkeypatch.setenv("HANAMI_DATABASE_URL_FILE", "/somewhere")

    with pytest.raises(SystemExit, match="are both set; use one") as caught:
        MisakiSettings.from_command_line([])

    assert "tiger" not in str(caught.value)
