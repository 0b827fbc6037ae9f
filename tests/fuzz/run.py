"""Runs cases in batches, judges them, and looks at the mesh in between."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.fuzz import frames, sockets
from tests.fuzz.cases import FRAMES, GATEWAY, PORT, REST, SERVICES, SOCKET, WEB, Case, case_of
from tests.fuzz.native import NativeDoor
from tests.fuzz.outcome import Outcome, complaints
from tests.fuzz.stage import Stage, Theatre
from tests.fuzz.watch import Seen, Watch
from tests.fuzz.web import WebDoor

_BATCH = 1600
_AT_ONCE = 96
# After so many batches a process holds what it holds as a rule.
_WARM_AFTER = 1
# The same complaint about the same call, over and over, teaches nothing.
_MOST_COMPLAINTS = 200
AS_IT_SHOULD_BE = "as the contract wants it"


@dataclass
class Report:
    """What a run saw.

    Attributes:
        messages: Malformed messages sent, by service.
        calls: By way in.
        endings: How calls ended, by status.
        kinds: What was sent, by kind of damage.
        slowest_seconds: Of the calls that were answered.
        refused: Calls through the gateway that gRPC itself refused for their headers' size.
        stages: How often everything had to be made anew.
        complaints: What is wrong, each with the way to see it again.
        before: What processes held when they were warm.
        after: What they held in the end.
    """

    seed: int
    seconds: float = 0.0
    messages: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    callers: Counter[str] = field(default_factory=Counter)
    methods: set[str] = field(default_factory=set)
    slowest_seconds: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    stages: int = 1
    complaints: list[str] = field(default_factory=list)
    before: dict[str, Seen] = field(default_factory=dict)
    after: dict[str, Seen] = field(default_factory=dict)

    def add(self, case: Case, outcome: Outcome) -> None:
        """Count a case."""
        damaged = [kind for kind in case.kinds if kind != AS_IT_SHOULD_BE]
        # No message at all, or odd metadata alone, is malformed as well.
        self.messages[case.rpc.service] += len(damaged) or int(not case.kinds)
        self.calls[case.door] += 1
        self.endings[outcome.code] += 1
        self.callers[case.caller] += 1
        self.kinds.update(case.kinds or ("none at all",))
        self.methods.add(case.rpc.path)
        self.slowest_seconds = max(self.slowest_seconds, outcome.seconds)
        if case.door != PORT:
            self.refused[case.rpc.service] += outcome.has_large_headers
        for complaint in complaints(case, outcome):
            if len(self.complaints) < _MOST_COMPLAINTS:
                self.complaints.append(f"{complaint}: {case.title} [{outcome.told[:300]}]")


@dataclass(frozen=True)
class Terms:
    """What a run is to do.

    Attributes:
        seed: Where all cases come from.
        messages: How many malformed ones each service gets.
        services: Which ones.
        most_seconds: When to stop whatever is left.
        only: The numbers of the cases to run, instead of as many as are needed.
    """

    seed: int
    messages: int
    services: Sequence[str] = SERVICES
    most_seconds: float = float("inf")
    only: range | None = None


class Runner:
    """One run against one mesh."""

    def __init__(self, theatre: Theatre, terms: Terms, on_batch: Callable[[Report], None]) -> None:
        self._theatre = theatre
        self._terms = terms
        self._on_batch = on_batch
        self._stage = theatre.set()
        self._watch = Watch(theatre, self._stage.tokens["admin"])
        self.report = Report(terms.seed)

    async def run(self) -> Report:
        """Run all batches."""
        started = time.perf_counter()
        addresses = {service: self._theatre.address(service) for service in SERVICES}
        async with (
            NativeDoor(addresses, self._theatre.gateway) as native,
            WebDoor(self._theatre.gateway) as web,
        ):
            self._doors = _Doors(native, web, addresses, self._theatre.gateway)
            for place, batch in enumerate(self._batches()):
                await self._doors.deliver(batch, self._stage, self.report)
                self.report.seconds = time.perf_counter() - started
                await asyncio.to_thread(self._look_around, place, batch)
                self._on_batch(self.report)
                if self.report.seconds > self._terms.most_seconds:
                    break
        self.report.after = self._watch.seen()
        return self.report

    def _batches(self) -> Iterator[list[Case]]:
        """Yield batches until every service has got its messages."""
        numbers = self._terms.only
        if numbers is not None:
            yield [self._case(number) for number in numbers]
            return
        number = 0
        while wanting := self._wanting():
            batch: list[Case] = []
            while len(batch) < _BATCH:
                case = self._case(number)
                number += 1
                if case.rpc.service in wanting or case.door == SOCKET:
                    batch.append(case)
            yield batch

    def _wanting(self) -> set[str]:
        sent, services = self.report.messages, self._terms.services
        return {service for service in services if sent[service] < self._terms.messages}

    def _case(self, number: int) -> Case:
        return case_of(self._terms.seed, number, self._stage.names)

    def _look_around(self, place: int, batch: Sequence[Case]) -> None:
        if not self._theatre.stands(self._stage):
            self._stage = self._theatre.set()
            self.report.stages += 1
        first, last = batch[0].number, batch[-1].number
        again = f'make fuzz T="--seed {self._terms.seed} --only {first}-{last}"'
        for problem in self._watch.problems(self._stage.tokens["admin"], self.report.refused):
            self.report.complaints.append(f"{problem}, after the batch: {again}")
        if place == _WARM_AFTER:
            self._watch.warm()
        if place <= _WARM_AFTER:
            self.report.before = self._watch.seen()


@dataclass(frozen=True)
class _Doors:
    """All ways in."""

    native: NativeDoor
    web: WebDoor
    addresses: dict[str, str]
    gateway: str

    async def deliver(self, batch: Sequence[Case], stage: Stage, report: Report) -> None:
        """Deliver a batch, some cases at a time."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(case: Case) -> None:
            async with room:
                report.add(case, await self._delivered(case, stage))

        await asyncio.gather(*(one(case) for case in batch))

    async def _delivered(self, case: Case, stage: Stage) -> Outcome:
        if case.door in (PORT, GATEWAY):
            return await self.native.deliver(case, stage.tokens)
        if case.door in (WEB, REST):
            return await self.web.deliver(case, stage.tokens)
        if case.door == SOCKET:
            return await sockets.deliver(self.gateway, case, stage.tokens)
        assert case.door == FRAMES
        through_gateway = case.chance().random() < 0.4
        address = self.gateway if through_gateway else self.addresses[case.rpc.service]
        return await frames.deliver(address, case, stage.tokens, is_gateway=through_gateway)
