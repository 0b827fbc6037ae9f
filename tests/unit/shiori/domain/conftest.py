"""An archive for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.shiori.archive import Archive, open_archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Return an empty archive."""
    with open_archive(tmp_path / "uploads") as opened:
        yield opened
