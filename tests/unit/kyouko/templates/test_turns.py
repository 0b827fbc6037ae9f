"""Whoever sends templates to be read waits for others, and keeps nobody else from working."""

import asyncio
import threading

import pytest

from kyouko.domain.template import NetworkTemplate
from kyouko.templates import TemplateTurns, shipped_templates, turns
from mesh.errors import ResourceExhausted

TEMPLATE = shipped_templates()["flat"].template


class SlowReading:
    """Reads when it is told to, and counts how many threads read at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_end = threading.Event()
        self.most_at_once = 0
        self._at_once = 0
        monkeypatch.setattr(turns, "read_template", self._read)

    def _read(self, text: str) -> NetworkTemplate:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.may_end.wait()
        self._at_once -= 1
        return TEMPLATE


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowReading:
    """Return a reading that waits until it may end."""
    return SlowReading(monkeypatch)


async def begin(reader: TemplateTurns, count: int) -> list["asyncio.Task[NetworkTemplate]"]:
    """Ask for some templates, and let them come to where they wait."""
    asked = [asyncio.create_task(reader.read("")) for _ in range(count)]
    for _ in range(3):
        await asyncio.sleep(0)
    return asked


async def test_templates_are_read_one_at_a_time(slow: SlowReading) -> None:
    """However many come at once."""
    asked = await begin(TemplateTurns(), 8)
    slow.may_end.set()

    assert [TEMPLATE] * 8 == await asyncio.gather(*asked)
    assert 1 == slow.most_at_once


async def test_few_templates_wait(slow: SlowReading) -> None:
    """One more than may wait is refused at once, and heard when there is room again."""
    reader = TemplateTurns(most_waiting=2)
    asked = await begin(reader, 2)

    with pytest.raises(ResourceExhausted) as refused:
        await reader.read("")
    slow.may_end.set()
    await asyncio.gather(*asked)

    assert ("LIMIT_REACHED", "2") == (refused.value.reason, refused.value.metadata["limit"])
    assert TEMPLATE == await reader.read("")


async def test_who_leaves_makes_no_room_for_another_reading(slow: SlowReading) -> None:
    """Its thread still works, so that the next one has to wait for it."""
    reader = TemplateTurns()
    first, second = await begin(reader, 2)
    first.cancel()
    await begin(reader, 0)
    slow.may_end.set()

    assert TEMPLATE == await second
    assert first.cancelled()
    assert 1 == slow.most_at_once
