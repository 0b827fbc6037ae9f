"""A real torii beside a real misaki."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hanami.kyouko.v1 import network_service_pb2

from tests.integration.kyouko.servers import PARENT, start_kyouko
from tests.integration.meshes import RunningMisaki
from tests.integration.torii.doors import NOWHERE, RunningTorii, start_torii
from tests.integration.torii.echo import RunningEcho, start_echo
from tests.integration.torii.garden import Garden


@pytest.fixture
async def echo(misaki: RunningMisaki) -> AsyncIterator[RunningEcho]:
    """Run the echoing LearningService in kyouko's place."""
    async with start_echo(misaki.address) as running:
        yield running


@pytest.fixture
async def torii(misaki: RunningMisaki, echo: RunningEcho) -> AsyncIterator[RunningTorii]:
    """Run a real torii in front of the echo."""
    async with start_torii(misaki, kyouko_address=echo.address) as running:
        yield running


@pytest.fixture
async def garden(misaki: RunningMisaki, tmp_path: Path) -> AsyncIterator[Garden]:
    """Run a real kyouko with one network, and a torii in front of it."""
    await misaki.create_project("flowers")
    alice = await misaki.create_user("alice", flowers="MEMBER")
    async with (
        start_kyouko(misaki, NOWHERE, tmp_path / "kyouko", alice) as kyouko,
        start_torii(misaki, kyouko_address=f"127.0.0.1:{kyouko.running.port}") as torii,
    ):
        await kyouko.networks.CreateNetwork(
            network_service_pb2.CreateNetworkRequest(
                parent=PARENT, network_id="net", template="templates/flat", channels=4
            ),
            metadata=alice,
        )
        yield Garden(torii, kyouko)
