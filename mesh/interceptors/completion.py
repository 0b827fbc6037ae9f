"""Lets calls that change something end in peace, also when their caller leaves."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

from mesh.errors import DomainError
from mesh.idempotency import ABANDONED_AFTER
from mesh.interceptors.chain import Call, UnaryWrapper

_log = structlog.get_logger(__name__)
# Before somebody else may take the call for dead and repeat it.
_MOST_SECONDS = 0.9 * ABANDONED_AFTER.total_seconds()

Answer = TypeVar("Answer")


class Completion:
    """Wraps unary calls whose request has a field `request_id`: those that change something.

    Such a call is a task of the server, not of its caller. A caller who leaves, or whose
    deadline passes, is let go at once, but the work is not cut off between a commit and
    what has to follow it, and its answer is stored for the caller who repeats it. This
    holds without a `request_id` too: half an effect is as bad when nobody asks again.
    """

    def __init__(self, remembering: UnaryWrapper | None) -> None:
        """Take the wrapper that remembers answers, if the service has one."""
        self._remembering = remembering
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __call__(
        self,
        call: Call,
        proceed: Callable[[], Awaitable[Any]],
        parse: Callable[[bytes], Any],
    ) -> Any:
        """Proceed; to the end, when the call changes something."""
        if call.request is None or "request_id" not in call.request.DESCRIPTOR.fields_by_name:
            return await proceed()
        if self._remembering is None:
            return await self._to_the_end(call, proceed())
        return await self._to_the_end(call, self._remembering(call, proceed, parse))

    async def ended(self, seconds: float) -> None:
        """Wait for the calls whose callers have left; cut off what takes longer."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _to_the_end(self, call: Call, work: Awaitable[Answer]) -> Answer:
        # A task takes the context variables along: caller, token and trace.
        task = asyncio.create_task(_bounded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            call.note.work = task
            task.add_done_callback(lambda ended: _log_failure(call, ended))
            raise


async def _bounded(work: Awaitable[Answer]) -> Answer:
    async with asyncio.timeout(_MOST_SECONDS):
        return await work


def _log_failure(call: Call, task: asyncio.Task[Any]) -> None:
    """Log what nobody else will hear of."""
    error = None if task.cancelled() else task.exception()
    if task.cancelled():
        _log.warning("call cut off", method=call.method)
    elif error is not None and not isinstance(error, DomainError):
        incident = call.note.incident = uuid.uuid4().hex
        _log.error(
            "unexpected error",
            method=call.method,
            incident=incident,
            error=repr(error),
            exc_info=error,
        )
