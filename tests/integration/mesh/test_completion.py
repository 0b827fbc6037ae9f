"""Calls that change something end in peace, whatever their callers do."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from mesh import telemetry
from mesh.calls import current_caller, current_token
from mesh.errors import NotFound
from tests.integration.mesh.garden import USER, Garden, planted


class Work:
    """A handler that waits in its middle until it may go on."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun, self.go_on, self.over = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.ended_as = ""
        self._error = error

    async def __call__(self, _: Any) -> Any:
        """Begin, wait, end."""
        self.begun.set()
        self.ended_as = "cut off"
        try:
            await self.go_on.wait()
            self.ended_as = f"{current_caller().principal.name} {bool(current_token())}"
            if self._error is not None:
                raise self._error
        finally:
            self.over.set()
        return USER


async def _leave(call: Any, work: Work) -> None:
    async with asyncio.timeout(30):
        await work.begun.wait()
        call.cancel()
        await asyncio.sleep(0.1)  # The server hears of it over the wire.


async def test_change_goes_on_without_its_caller() -> None:
    """Also without a `request_id` it ends, with the caller's rights as before."""
    work = Work()

    async with planted(Garden(unary=work)) as garden:
        await _leave(garden.create_user(), work)
        work.go_on.set()
        async with asyncio.timeout(30):
            await work.over.wait()

    assert "users/root True" == work.ended_as


async def test_read_ends_with_its_caller() -> None:
    """Nobody needs the answer of a read that nobody waits for."""
    work = Work()

    async with planted(Garden(unary=work)) as garden:
        await _leave(garden.get_user(), work)
        async with asyncio.timeout(30):
            await work.over.wait()

    assert "cut off" == work.ended_as


async def test_server_waits_for_changes_without_callers() -> None:
    """A server that stops lets them end, within the time for draining."""
    work = Work()
    server = planted(Garden(unary=work))
    garden = await server.__aenter__()
    await _leave(garden.create_user(), work)
    stopping = asyncio.create_task(server.__aexit__(None, None, None))
    async with asyncio.timeout(30):
        await garden.garden.drained.wait()
    await asyncio.sleep(0.1)

    waited = not stopping.done()
    work.go_on.set()
    await stopping

    assert waited
    assert "users/root True" == work.ended_as


async def test_stuck_change_does_not_hold_up_the_end() -> None:
    """What does not end in the time for draining is cut off, and the log says so."""
    work = Work()

    with capture_logs() as logs:
        async with planted(Garden(unary=work), drain_seconds=0.2) as garden:
            await _leave(garden.create_user(), work)

    assert "cut off" == work.ended_as
    assert "/hanami.misaki.v1.UserService/CreateUser" in {
        line["method"] for line in logs if line["event"] == "call cut off"
    }


@pytest.mark.parametrize(
    ("error", "logged"), [(NotFound("users/x"), False), (ZeroDivisionError("ours"), True)]
)
async def test_mistake_without_a_caller_is_logged(error: Exception, logged: bool) -> None:
    """An unexpected error that no caller hears of is in the log; one of the domain is no news."""
    work = Work(error)

    with capture_logs() as logs:
        async with planted(Garden(unary=work)) as garden:
            await _leave(garden.create_user(), work)
            work.go_on.set()

    assert logged == any(line["event"] == "unexpected error" for line in logs)


async def test_change_belongs_to_the_callers_trace() -> None:
    """What a change sends on carries the trace of its call."""
    seen: list[dict[str, str]] = []

    async def look(_: Any) -> Any:
        seen.append(dict(telemetry.trace_headers()))
        return USER

    trace_id = "0af7651916cd43dd8448eb211c80319c"
    parent = (("traceparent", f"00-{trace_id}-b7ad6b7169203331-01"),)
    async with planted(Garden(unary=look)) as garden:
        await garden.create_user(metadata=(*garden.admin(), *parent))

    assert trace_id in seen[0]["traceparent"]
