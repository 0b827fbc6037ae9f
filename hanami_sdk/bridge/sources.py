"""Brokers as sources: what they have in common, and what a missing library is told like."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hanami_sdk.bridge.errors import BridgeError
from hanami_sdk.bridge.messages import Deliver, Tell

_LONGEST_DELAY = 5.0
_FAREWELL_SECONDS = 3.0


@dataclass
class Ending:
    """How a bridge ends: it takes no more messages, acknowledges the last, and leaves.

    Attributes:
        begins: no more messages are taken.
        is_done: all that were taken are durable and acknowledged.
    """

    begins: asyncio.Event
    is_done: asyncio.Event


@dataclass
class Line:
    """The way of messages from a broker to a feed.

    Attributes:
        deliver: takes a message.
        ending: tells when to stop.
        tell: tells a person what happens.
    """

    deliver: Deliver
    ending: Ending
    tell: Tell

    async def read_until_the_end(self, read: Callable[[], Awaitable[None]]) -> None:
        """Read until the bridge ends; keep the connection until all is acknowledged."""
        reading = asyncio.ensure_future(read())
        ending = asyncio.create_task(self.ending.begins.wait())
        try:
            await asyncio.wait((reading, ending), return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                await reading
                return
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await self.ending.is_done.wait()
        finally:
            reading.cancel()
            ending.cancel()
            await asyncio.gather(reading, ending, return_exceptions=True)

    async def keep_up(
        self, name: str, connected: Callable[[], Awaitable[None]], *losses: type[Exception]
    ) -> None:
        """Connect again whenever the broker is lost, until the bridge ends."""
        delay = 0.2
        while not self.ending.begins.is_set():
            started = asyncio.get_running_loop().time()
            try:
                await self._unless_done(connected)
            except losses as error:
                if asyncio.get_running_loop().time() - started > _LONGEST_DELAY:
                    delay = 0.2
                self.tell(f"{name} is lost, trying again: {error}")
                await self._pause(delay)
                delay = min(2 * delay, _LONGEST_DELAY)

    async def _unless_done(self, connected: Callable[[], Awaitable[None]]) -> None:
        """Leave a broker that still does not answer when the bridge has ended."""
        work = asyncio.ensure_future(connected())
        done = asyncio.create_task(self.ending.is_done.wait())
        try:
            await asyncio.wait((work, done), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((work,), timeout=_FAREWELL_SECONDS)
            if work.done():
                await work
        finally:
            work.cancel()
            done.cancel()
            await asyncio.gather(work, done, return_exceptions=True)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.ending.begins.wait(), seconds)
        except TimeoutError:
            return


def library(name: str, package: str) -> Any:
    """Import a library that only bridges need.

    Raises:
        BridgeError: it is not installed; the hint says how to.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise BridgeError(
            f"This needs the package {package}, which is not installed.",
            hint="Install what bridges need: pip install 'hanami[bridge]'",
        ) from error
