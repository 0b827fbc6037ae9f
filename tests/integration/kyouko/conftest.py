"""A real kyouko beside a real misaki and a real shiori, with one project in them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.kyouko.servers import RunningKyouko, start_kyouko
from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import RunningShiori, start_shiori


@pytest.fixture
async def shiori(misaki: RunningMisaki, tmp_path: Path) -> AsyncIterator[RunningShiori]:
    """Run a real shiori; the project `flowers` exists and `alice` is a member of it."""
    await misaki.create_project("flowers")
    alice = await misaki.create_user("alice", flowers="MEMBER")
    async with start_shiori(misaki, tmp_path / "shiori", alice) as running:
        yield running


@pytest.fixture
async def kyouko(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> AsyncIterator[RunningKyouko]:
    """Run a real kyouko that finds both."""
    address = f"127.0.0.1:{shiori.running.port}"
    async with start_kyouko(misaki, address, tmp_path / "kyouko", shiori.alice) as running:
        yield running
