"""Ends unary calls that take too long, also when the client set no deadline."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mesh.errors import DeadlineExceeded
from mesh.interceptors.chain import Call, Layer


def deadline(default_seconds: float) -> Layer:
    """Return the layer; streams may last as long as they like."""

    @asynccontextmanager
    async def layer(call: Call) -> AsyncIterator[None]:
        if call.streaming:
            yield
            return
        remaining = call.context.time_remaining()
        seconds = default_seconds if remaining is None else min(remaining, default_seconds)
        try:
            async with asyncio.timeout(seconds) as limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise  # Another timeout than ours: something that the handler waited for.
            raise DeadlineExceeded(
                f"the call did not end within {seconds:g} seconds",
                reason="DEADLINE_EXCEEDED",
                metadata={"timeout_seconds": f"{seconds:g}"},
            ) from error

    return layer
