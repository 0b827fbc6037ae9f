"""A real shiori beside a real misaki, with one project and people in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import RunningShiori, start_shiori


@pytest.fixture
async def shiori(misaki: RunningMisaki, tmp_path: Path) -> AsyncIterator[RunningShiori]:
    """Run a real shiori; the project `flowers` exists and `alice` is a member of it."""
    await misaki.create_project("flowers")
    alice = await misaki.create_user("alice", flowers="MEMBER")
    async with start_shiori(misaki, tmp_path / "shiori", alice) as running:
        yield running
