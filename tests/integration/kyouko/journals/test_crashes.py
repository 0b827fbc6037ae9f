"""Whatever a journal called durable is there after the process was killed."""

import asyncio
import os
import random
import re
import sys
from pathlib import Path

import pytest

from kyouko.storage.journal import prepared_journals
from tests.integration.kyouko.journals import crashing
from tests.integration.kyouko.journals.streams import UID
from tests.nats import NatsServer

KILLS = 4
COMPLETE_LINE = re.compile(rb"^durable (\d+)\n", re.MULTILINE)
"""What the writer said before it was killed; it may be killed in the middle of a line."""


@pytest.fixture(params=["files", "jetstream"])
def journal_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where journals are kept, of each kind."""
    if request.param == "files":
        return f"file://{tmp_path}/journals"
    server: NatsServer = request.getfixturevalue("own_nats")
    return server.url


async def durable_when_killed(url: str, folder: Path, chance: random.Random) -> tuple[str, int]:
    """Start the writer and kill it some time later; returns its first line and last position."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        crashing.__file__,
        url,
        UID,
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    opened = ""
    while not opened.startswith("opened"):  # The log speaks on the same stream.
        line = await process.stdout.readline()
        assert line, "the writer ended by itself"
        opened = line.decode()
    read = b""
    for _ in range(chance.randint(1, 20)):
        read += await process.stdout.readline()
    await asyncio.sleep(chance.random() * 0.05)
    process.kill()
    read += await process.stdout.read()
    await process.wait()
    return opened.strip(), int(COMPLETE_LINE.findall(read)[-1])


async def test_durable_records_survive_a_killed_process(journal_url: str, tmp_path: Path) -> None:
    """Killed at random moments, several times: no durable record is lost, none is changed."""
    chance = random.Random(11)
    durable = [0]
    opened = []

    for _ in range(KILLS):
        line, position = await durable_when_killed(journal_url, tmp_path, chance)
        opened.append(line)
        durable.append(position)
    journals = await prepared_journals(journal_url, folder=tmp_path)
    journal = await journals.open(UID, after=0)
    found = [(record.position, record.data) async for record in journal.read(0)]
    await journals.close()

    assert [line.split()[2] for line in opened] == ["None"] * KILLS
    assert all(
        int(line.split()[1]) >= before for line, before in zip(opened, durable, strict=False)
    )
    assert None is journal.damage
    assert len(found) >= durable[-1] > durable[1] > 0
    assert [(position, crashing.payload(position)) for position, _ in found] == found
    assert list(range(1, len(found) + 1)) == [position for position, _ in found]
