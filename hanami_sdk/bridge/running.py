"""A running bridge: one stream for each network, its sources, and an end in good order."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hanami_sdk.async_client import AsyncClient
from hanami_sdk.bridge import mqtt, nats
from hanami_sdk.bridge.configuration import Configuration, Route, Source
from hanami_sdk.bridge.errors import BridgeError
from hanami_sdk.bridge.feeding import Feed
from hanami_sdk.bridge.messages import Tell
from hanami_sdk.bridge.sources import Ending, Line
from hanami_sdk.channels import row_channels
from hanami_sdk.errors import HanamiError, Unavailable
from hanami_sdk.private_files import write_private
from hanami_sdk.streams import LearnStream

# Whoever runs a bridge wants it to wait: brokers keep what is not acknowledged.
_PATIENCE_SECONDS = 10.0 * 365 * 24 * 3600
_RETRY_SECONDS = 1.0

Report = Callable[[list[Feed]], None]


@dataclass(frozen=True)
class Bridge:
    """What a bridge is made of.

    Attributes:
        configuration: what feeds what.
        client: who talks to the mesh.
        state: the folder that keeps the sessions.
        tell: tells a person what happens.
        report: is shown the feeds every `report_seconds`, and at the end.
    """

    configuration: Configuration
    client: AsyncClient
    state: Path
    tell: Tell
    report: Report
    report_seconds: float = 10.0

    async def run(self, stop: asyncio.Event) -> None:
        """Bridge until `stop` is set; then acknowledge what was taken, and end.

        Raises:
            BridgeError: a network does not fit its entry, or a library is missing.
            HanamiError: a stream cannot go on.
        """
        ending = Ending(stop, asyncio.Event())
        async with asyncio.TaskGroup() as group:
            for route in self.configuration.networks:
                group.create_task(self._feed(route, ending))

    async def _feed(self, route: Route, ending: Ending) -> None:
        async with self._stream(route, ending) as stream:
            if stream is None:
                return
            _check_fit(stream, route)
            feed = Feed(route, stream, self.tell)
            own = Ending(ending.begins, asyncio.Event())
            line = Line(feed.deliver, own, self.tell)
            async with asyncio.TaskGroup() as group:
                helpers = [
                    group.create_task(feed.acknowledge()),
                    group.create_task(self._report(feed)),
                ]
                sources = [group.create_task(_run(each, line, route)) for each in route.sources]
                await ending.begins.wait()
                # Nobody takes messages any more; what was taken is made durable.
                await asyncio.sleep(0)
                await feed.emptied()
                own.is_done.set()
                await asyncio.gather(*sources)
                for helper in helpers:
                    helper.cancel()
            self.report([feed])

    async def _report(self, feed: Feed) -> None:
        while True:
            await asyncio.sleep(self.report_seconds)
            self.report([feed])

    @asynccontextmanager
    async def _stream(self, route: Route, ending: Ending) -> AsyncIterator[LearnStream | None]:
        """Open the stream of a network, in the session of before if there was one."""
        path = self._session_file(route)
        while not ending.begins.is_set():
            stream = self.client.learn(
                route.network,
                resume_token=_token(path),
                reconnect_seconds=_PATIENCE_SECONDS,
            )
            try:
                await stream.__aenter__()
            except Unavailable as error:
                self.tell(f"{route.network}: the mesh is away, trying again: {error}")
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            except HanamiError as error:
                raise _explained(error, path, route) from error
            break
        else:
            yield None
            return
        try:
            write_private(path, json.dumps({"resume_token": stream.resume_token}))
            yield stream
        except BaseException:
            await stream.cancel()
            raise
        await stream.close()

    def _session_file(self, route: Route) -> Path:
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        whole = f"{self.client.url}\n{self.configuration.project}\n{route.network}"
        key = hashlib.sha256(whole.encode()).hexdigest()[:16]
        return self.state / f"{route.network.rsplit('/', 1)[-1]}-{key}.json"


async def _run(source: Source, line: Line, route: Route) -> None:
    if source.mqtt is not None:
        await mqtt.run(source.mqtt, line)
    elif source.nats is not None:
        await nats.run(source.nats, line, max_under_way=route.max_under_way)


def _token(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["resume_token"])
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError) as error:
        raise BridgeError(
            f"{path} holds no session.", hint="Remove it to begin a new one."
        ) from error


def _check_fit(stream: LearnStream, route: Route) -> None:
    teaches_itself = stream.network.statistics.HasField("pipeline")
    if not (route.label or route.targets or teaches_itself):
        raise BridgeError(
            f"{route.network} has nothing to learn: its entry needs label or targets."
        )
    channels = row_channels(stream.network)
    if channels != len(route.inputs):
        raise BridgeError(
            f"{route.network} has {channels} channels, its entry {len(route.inputs)} inputs."
        )


def _explained(error: HanamiError, path: Path, route: Route) -> Exception:
    if error.reason != "SESSION_UNKNOWN":
        return error
    return BridgeError(
        f"{route.network} does not know the bridge's session any more.",
        hint=f"Remove {path} to begin a new one; what is delivered again is learned again then.",
    )
