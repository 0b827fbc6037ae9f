"""Networks on their way out of memory, whose journals are being closed."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

_log = structlog.get_logger(__name__)


class Leaving:
    """Knows who is on the way out, so that nobody opens a journal before it is closed."""

    def __init__(self) -> None:
        self._closing: dict[str, asyncio.Task[None]] = {}

    def begin(self, uid: str, closing: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Let a network leave; it goes on when nobody waits for it, too."""
        task = self._closing[uid] = asyncio.create_task(closing)
        task.add_done_callback(lambda done: self._has_left(uid, done))
        return task

    async def wait(self, uid: str) -> None:
        """Wait until a network is out, if it is on its way."""
        if uid in self._closing:
            await asyncio.wait({self._closing[uid]})

    async def wait_for_all(self) -> None:
        """Wait until nobody is on the way."""
        while self._closing:
            await asyncio.wait(self._closing.values())

    def _has_left(self, uid: str, done: "asyncio.Task[None]") -> None:
        del self._closing[uid]
        if not done.cancelled() and (error := done.exception()) is not None:
            _log.error("a network left in bad order", uid=uid, error=repr(error))
