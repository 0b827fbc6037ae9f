"""What azuki can be told."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from azuki.settings import AzukiSettings


def test_the_defaults_are_a_second_and_a_quarter_of_an_hour() -> None:
    """Out of the box azuki measures every second and keeps fifteen minutes."""
    settings = AzukiSettings()

    assert (1.0, 900.0) == (settings.interval_seconds, settings.retention_seconds)


def test_the_environment_sets_the_process_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """HANAMI_PROCESS_DIRECTORY says where the pid files lie."""
    monkeypatch.setenv("HANAMI_PROCESS_DIRECTORY", "/run/hanami")

    assert AzukiSettings().process_directory == Path("/run/hanami")


def test_a_retention_shorter_than_the_interval_is_refused() -> None:
    """At least one measurement is kept."""
    with pytest.raises(ValidationError, match="retention_seconds"):
        AzukiSettings(interval_seconds=10, retention_seconds=5)
