"""A client that streams through all faults, and checks every answer on the way."""

import asyncio
import random
import time
from dataclasses import dataclass, field

from hanami_sdk import AsyncClient
from hanami_sdk.results import Result
from hanami_sdk.streams import LearnStream
from tests.soak.house import House
from tests.soak.rows import Plan, frames_of

PROJECT = "soak"
_RECONNECT_SECONDS = 180.0
_MOST_UNANSWERED = 16


@dataclass
class Told:
    """What a client was told.

    Attributes:
        frames: frames that were answered.
        began: set with the first answer.
        breaks: times the stream was lost and opened again.
        clients: times the client itself went away, and another went on with its session.
        problems: what should not have happened.
        longest_silence: longest time without any answer, seconds.
    """

    frames: int = 0
    began: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    breaks: int = 0
    clients: int = 1
    problems: list[str] = field(default_factory=list)
    longest_silence: float = 0.0


async def stream_through(
    house: House, network: str, plan: Plan, told: Told, *, pause_seconds: float, leaves: int = 0
) -> None:
    """Send all frames of a plan, one client after the other with the same session.

    Args:
        house: The mesh.
        network: Id of the network.
        plan: What to send.
        told: Where to note what comes.
        pause_seconds: Mean pause between frames.
        leaves: How often the client goes away at once, in the middle.
    """
    choice = random.Random(plan.seed)
    async with AsyncClient(
        house.state.gateway_url, project=PROJECT, user="admin", password=house.password
    ) as client:
        stops = [*sorted(choice.sample(range(2, plan.frames), leaves)), plan.frames]
        token = ""
        for stop in stops:
            stream = client.learn(network, resume_token=token, reconnect_seconds=_RECONNECT_SECONDS)
            await stream.__aenter__()
            await _send(stream, plan, stop, told, choice, pause_seconds)
            token = stream.resume_token
            told.breaks += stream.breaks
            if stop == plan.frames:
                await stream.close()
            else:
                told.clients += 1
                await stream.cancel()


async def _send(
    stream: LearnStream,
    plan: Plan,
    stop: int,
    told: Told,
    choice: random.Random,
    pause_seconds: float,
) -> None:
    under_way: list[tuple[int, asyncio.Future[Result]]] = []
    last_answer = time.monotonic()
    first = stream.last_sequence + 1
    for sequence, frame in frames_of(plan, first):
        if sequence > stop:
            break
        under_way.append((sequence, await stream.submit(frame.inputs, frame.labels, frame.targets)))
        if len(under_way) >= _MOST_UNANSWERED:
            await _take(under_way.pop(0), told)
            now = time.monotonic()
            told.longest_silence = max(told.longest_silence, now - last_answer)
            last_answer = now
        if pause_seconds:
            await asyncio.sleep(choice.expovariate(1 / pause_seconds))
    for pending in under_way:
        await _take(pending, told)


async def _take(pending: tuple[int, asyncio.Future[Result]], told: Told) -> None:
    sequence, future = pending
    result = await future
    told.frames += 1
    told.began.set()
    if result.sequence != sequence:
        told.problems.append(f"frame {sequence} got the answer of {result.sequence}")
    if result.kept_rows > result.learned_rows:
        told.problems.append(
            f"frame {sequence}: {result.kept_rows} kept rows of {result.learned_rows}"
        )
