"""Fixtures of the integration tier: real servers in this process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.meshes import RunningMisaki, start_misaki


@pytest.fixture
async def misaki(tmp_path: Path) -> AsyncIterator[RunningMisaki]:
    """Run a real misaki with an admin, on a SQLite database of its own."""
    async with start_misaki(tmp_path / "misaki") as running:
        yield running
