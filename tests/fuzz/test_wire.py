"""Malformed messages to every service: the size of a build. `make fuzz` sends more."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.fuzz.cases import SERVICES
from tests.fuzz.run import Runner, Terms
from tests.fuzz.stage import Theatre
from tests.rpcs import every_rpc
from tests.soak.house import running_house

MESSAGES = int(os.environ.get("HANAMI_FUZZ_MESSAGES", "5000"))
SEED = 20_261


@pytest.mark.fuzz
@pytest.mark.timeout(2400)
def test_malformed_messages_break_nothing(tmp_path: Path) -> None:
    """Nothing crashes, hangs, grows or tells of its insides, by whatever way it is asked."""
    with running_house(tmp_path) as house:
        theatre = Theatre(house)
        try:
            report = asyncio.run(
                Runner(theatre, Terms(SEED, MESSAGES), on_batch=lambda report: None).run()
            )
        finally:
            theatre.close()

    assert [] == report.complaints
    assert {rpc.path for rpc in every_rpc()} == report.methods
    assert dict.fromkeys(SERVICES, True) == {
        service: report.messages[service] >= MESSAGES for service in SERVICES
    }
