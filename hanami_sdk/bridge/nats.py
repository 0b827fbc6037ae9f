"""NATS: JetStream's messages are acknowledged when they are durable; core ones come once.

What an earlier bridge took and did not acknowledge is delivered again first: as long as
the consumer waits for such acknowledgements, no new messages are fetched, so that the ids
of the old ones are still known to the session when they come.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hanami_sdk.bridge.configuration import Nats
from hanami_sdk.bridge.messages import Message
from hanami_sdk.bridge.sources import Line, library

_FETCH = 100
_FETCH_SECONDS = 1.0
_MOST_WAITING = 10_000


async def run(source: Nats, line: Line, *, max_under_way: int) -> None:
    """Deliver the messages of a server until the bridge ends."""
    nats = library("nats", "nats-py")
    errors = library("nats.errors", "nats-py")

    async def connected() -> None:
        connection = await nats.connect(source.url, **_options(source, line))
        try:
            if source.stream:
                await _read_stream(connection, source, line, errors, max_under_way)
            else:
                await _read_core(connection, source, line)
        finally:
            await connection.close()

    losses = (errors.Error, OSError, asyncio.TimeoutError)
    await line.keep_up(f"NATS at {source.url}", connected, *losses)


def _options(source: Nats, line: Line) -> dict[str, Any]:
    async def failed(error: Exception) -> None:
        line.tell(f"NATS at {source.url}: {type(error).__name__}: {error}".rstrip(": "))

    options: dict[str, Any] = {"error_cb": failed, "max_reconnect_attempts": -1}
    if source.username:
        options.update(user=source.username, password=source.password())
    if source.credentials_file is not None:
        options["user_credentials"] = str(source.credentials_file)
    return options


async def _read_stream(
    connection: Any, source: Nats, line: Line, errors: Any, max_under_way: int
) -> None:
    from nats.js.api import AckPolicy, ConsumerConfig

    context = connection.jetstream()
    wanted = ConsumerConfig(
        durable_name=source.durable,
        filter_subjects=source.subjects,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=source.ack_wait_seconds,
        max_ack_pending=max_under_way,
    )
    consumer = await context.add_consumer(source.stream, wanted)
    left = await context.pull_subscribe_bind(durable=source.durable, stream=source.stream)
    line.tell(f"NATS at {source.url} is connected.")

    async def read() -> None:
        if consumer.num_ack_pending:
            line.tell(
                f"Waiting up to {source.ack_wait_seconds:g} s for {consumer.num_ack_pending} "
                f"messages of {source.stream} that were taken before and not acknowledged."
            )
            await asyncio.sleep(source.ack_wait_seconds)
        while True:
            try:
                messages = await left.fetch(min(_FETCH, max_under_way), timeout=_FETCH_SECONDS)
            except errors.TimeoutError:
                continue
            for message in messages:
                await line.deliver(_of_stream(message, errors))

    await line.read_until_the_end(read)


async def _read_core(connection: Any, source: Nats, line: Line) -> None:
    waiting: asyncio.Queue[Any] = asyncio.Queue(maxsize=1)
    for subject in source.subjects:
        # Full, the client drops messages and says so: core NATS promises nothing else.
        await connection.subscribe(subject, cb=waiting.put, pending_msgs_limit=_MOST_WAITING)
    # Once the server has answered it knows the subscriptions, and no message passes unseen.
    await connection.flush()
    line.tell(f"NATS at {source.url} is connected.")

    async def read() -> None:
        while True:
            await line.deliver(_of_core(await waiting.get()))

    await line.read_until_the_end(read)


def _of_stream(message: Any, errors: Any) -> Message:
    async def acknowledge() -> None:
        try:
            await message.ack()
        except errors.Error:
            # The connection is gone: the message comes again, and is known then.
            return

    about = message.metadata
    # The time tells a stream apart that was deleted and made again under the same name.
    broker_id = f"{about.stream} {about.sequence.stream} {about.timestamp.timestamp():.6f}"
    return Message(message.subject, message.data, acknowledge, broker_id, message.headers or {})


def _of_core(message: Any) -> Message:
    return Message(message.subject, message.data, _nothing, properties=message.headers or {})


async def _nothing() -> None:
    """Core NATS wants no acknowledgement."""
