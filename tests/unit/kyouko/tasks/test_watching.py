"""Watching tasks: at once, then changes, and the end without delay."""

import asyncio
from dataclasses import replace

import pytest

from kyouko.domain.tasks.task import TaskState, Totals
from kyouko.domain.tasks.watching import Watchers
from mesh.errors import Unavailable
from tests.contract.kyouko.builders import NOON, task

FIRST = replace(task(), number=7)


async def test_the_newest_state_counts() -> None:
    """Of several changes before anybody looks, only the last one is told."""
    watchers = Watchers()

    with watchers.watching(7) as watcher:
        states = watcher.states(FIRST)
        first = await anext(states)
        for rows in (1, 2, 3):
            progress = replace(FIRST.progress, totals=Totals(done_rows=rows))
            watchers.tell(replace(FIRST, progress=progress))
        second = await anext(states)

    assert FIRST == first
    assert 3 == second.progress.totals.done_rows


async def test_the_end_is_told_at_once_and_ends_the_watching() -> None:
    """After the final state nothing more comes; the pause between states is cut short."""
    watchers = Watchers()
    with watchers.watching(7) as watcher:
        states = watcher.states(FIRST)
        await anext(states)
        watchers.tell(FIRST.started(NOON))
        await anext(states)
        watchers.tell(FIRST.ended(TaskState.SUCCEEDED, NOON))

        rest = [state.state async for state in states]

    assert [TaskState.SUCCEEDED] == rest


async def test_an_ended_task_is_one_state() -> None:
    """Whoever watches what has ended sees its end and is done."""
    with Watchers().watching(7) as watcher:
        ended = FIRST.ended(TaskState.FAILED, NOON)

        assert [ended] == [state async for state in watcher.states(ended)]


async def test_others_tasks_are_not_told() -> None:
    """A watcher hears of its own task only, and of none after it left."""
    watchers = Watchers()
    with watchers.watching(7) as watcher:
        watchers.tell(replace(FIRST, number=8))
        states = watcher.states(FIRST)
        await anext(states)
        waiting = asyncio.ensure_future(anext(states))
        await asyncio.sleep(0)

        assert not waiting.done()

        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_stop_ends_all_watching() -> None:
    """With the error that says so."""
    watchers = Watchers()
    with watchers.watching(7) as watcher:
        states = watcher.states(FIRST)
        await anext(states)
        watchers.end(Unavailable("stopping", reason="SHUTTING_DOWN"))

        with pytest.raises(Unavailable, match="stopping"):
            await anext(states)
