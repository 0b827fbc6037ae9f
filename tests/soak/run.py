"""One run: clients stream, faults happen, and in the end everything is compared."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from hanami_sdk import AsyncClient
from tests.nats import NatsServer
from tests.soak.house import House, running_house
from tests.soak.rows import CHANNELS, Plan
from tests.soak.streaming import PROJECT, Told, stream_through
from tests.soak.twins import differences, newest_snapshot, uninterrupted

Say = Callable[[str], None]
_JOURNAL = "HANAMI_JOURNAL_URL"
_MEMORY_SECONDS = 5.0
# Memory may grow while networks grow; in the second half of a run they hardly do.
_MOST_MEMORY_GROWTH = 0.1


@dataclass(frozen=True)
class Terms:
    """What a run does.

    Attributes:
        frames: frames of each client.
        clients: how many networks and clients.
        pause_seconds: mean pause of a client between frames.
        kills: how often a process is killed.
        gap_seconds: mean time between a recovery and the next kill.
        victims: who may be killed, with the weight of each.
        leaves: how often each client goes away and another one takes its session.
    """

    frames: int
    clients: int = 2
    pause_seconds: float = 0.01
    kills: int = 3
    gap_seconds: float = 1.5
    victims: Mapping[str, int] = field(default_factory=lambda: {"kyouko": 1})
    leaves: int = 1
    seed: int = 1


@dataclass
class Report:
    """How a run went.

    Attributes:
        kills: how often each process was killed.
        recovery_seconds: time of each new start.
        memory_bytes: of kyouko, now and then, with the seconds since the beginning.
        problems: what should not have happened; empty when all is well.
    """

    seconds: float = 0.0
    learned_rows: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    recovery_seconds: list[float] = field(default_factory=list)
    memory_bytes: list[tuple[float, int]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def soak(folder: Path, terms: Terms, *, say: Say, with_nats: bool = False) -> Report:
    """Run a mesh through its faults, stop it, and compare the networks with their twins."""
    report = Report()
    nats = NatsServer(folder / "nats") if with_nats else None
    settings = {"HANAMI_SNAPSHOT_SECONDS": "5"}
    if nats is not None:
        (folder / "nats").mkdir(parents=True)
        nats.start()
        settings[_JOURNAL] = nats.url
    uids: list[str] = []
    try:
        with running_house(folder / "home", **settings) as house:
            uids = asyncio.run(_stream(house, nats, terms, report, say))
            home = house.home
    finally:
        if nats is not None:
            nats.kill()
    for number, (uid, plan) in enumerate(zip(uids, _plans(terms), strict=True)):
        newest = newest_snapshot(home.data("kyouko"), uid, keys=home.encryption_key_file)
        wrong = differences(uninterrupted(plan), asyncio.run(newest))
        if wrong:
            report.problems.append(f"net-{number} differs from its twin in {', '.join(wrong)}")
    growth = memory_growth(report.memory_bytes)
    # A process that was killed has begun anew.
    if "kyouko" not in terms.victims and growth > _MOST_MEMORY_GROWTH:
        report.problems.append(f"kyouko's memory grew by {growth:.0%} in the last quarter")
    return report


def memory_growth(memory: Sequence[tuple[float, int]]) -> float:
    """Return by how much the mean of the last quarter is above that of the quarter before."""
    quarter = len(memory) // 4
    if not quarter:
        return 0.0
    last = [used for _, used in memory[-quarter:]]
    before = [used for _, used in memory[-2 * quarter : -quarter]]
    return sum(last) / sum(before) - 1


def _plans(terms: Terms) -> list[Plan]:
    return [
        Plan(terms.seed * 100 + number, terms.frames, is_classes=number % 2 == 0)
        for number in range(terms.clients)
    ]


async def _stream(
    house: House, nats: NatsServer | None, terms: Terms, report: Report, say: Say
) -> list[str]:
    started = time.monotonic()
    async with _admin(house) as client:
        await client.projects.create(PROJECT)
        for number, plan in enumerate(_plans(terms)):
            await client.networks.create(
                f"net-{number}", template=plan.template, channels=CHANNELS, seed=plan.seed
            )
    report.told = [Told() for _ in range(terms.clients)]
    streaming = [
        asyncio.create_task(
            stream_through(
                house,
                f"net-{number}",
                plan,
                report.told[number],
                pause_seconds=terms.pause_seconds,
                leaves=terms.leaves,
            )
        )
        for number, plan in enumerate(_plans(terms))
    ]
    watching = asyncio.create_task(_watch_memory(house, report, started))
    killing = asyncio.create_task(_kill(house, nats, terms, report, say, streaming))
    await asyncio.gather(*streaming)
    killing.cancel()
    watching.cancel()
    await asyncio.gather(killing, watching, return_exceptions=True)
    report.seconds = time.monotonic() - started
    if report.kills.total() < terms.kills:
        report.problems.append(f"the clients were through after {report.kills.total()} kills")
    report.problems += [problem for told in report.told for problem in told.problems]
    async with _admin(house) as client:
        found = [await client.networks.get(f"net-{number}") for number in range(terms.clients)]
    for network in found:
        report.learned_rows += network.statistics.learned_rows
        if network.kept_rows != network.statistics.learned_rows:
            report.problems.append(f"{network.name}: only {network.kept_rows} rows are kept")
        if network.problem:
            report.problems.append(f"{network.name}: {network.problem}")
    return [network.etag for network in found]


async def _kill(
    house: House,
    nats: NatsServer | None,
    terms: Terms,
    report: Report,
    say: Say,
    streaming: list["asyncio.Task[None]"],
) -> None:
    choice = random.Random(terms.seed)
    await asyncio.gather(*(told.began.wait() for told in report.told))
    victims: list[str] = []
    for number in range(terms.kills):
        await asyncio.sleep(choice.expovariate(1 / terms.gap_seconds))
        if all(task.done() for task in streaming):
            return
        if not victims:
            # Each has its turn, in an order that nobody can foresee.
            victims = [name for name, weight in terms.victims.items() for _ in range(weight)]
            choice.shuffle(victims)
        victim = victims.pop()
        report.kills[victim] += 1
        if victim == "nats" and nats is not None:
            await asyncio.to_thread(nats.kill)
            await asyncio.sleep(choice.uniform(0, 1))
            await asyncio.to_thread(nats.start)
            say(f"kill {number + 1}: nats")
            continue
        await asyncio.to_thread(house.kill, victim)
        seconds = await asyncio.to_thread(house.start_again)
        report.recovery_seconds.append(seconds)
        say(f"kill {number + 1}: {victim}, back after {seconds:.1f} s")


async def _watch_memory(house: House, report: Report, started: float) -> None:
    while True:
        await asyncio.sleep(_MEMORY_SECONDS)
        with contextlib.suppress(RuntimeError, psutil.Error):
            # Right now it may be dead.
            used = await asyncio.to_thread(house.memory_bytes, "kyouko")
            report.memory_bytes.append((time.monotonic() - started, used))


def _admin(house: House) -> AsyncClient:
    return AsyncClient(
        house.state.gateway_url, project=PROJECT, user="admin", password=house.password
    )
