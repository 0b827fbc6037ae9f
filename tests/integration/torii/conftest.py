"""A real torii beside a real misaki."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.meshes import RunningMisaki
from tests.integration.torii.doors import RunningTorii, start_torii
from tests.integration.torii.echo import RunningEcho, start_echo


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
