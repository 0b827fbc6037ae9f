"""Looks after each batch whether the mesh is as it was: alive, healthy, and no larger."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import psutil
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc

from hanami_sdk.local import mesh as local_mesh
from hanami_sdk.local.state import Health
from tests.fuzz.cases import SERVICES
from tests.fuzz.stage import Theatre

# What a process may hold beyond what it held after the first batches.
_MORE_BYTES = 400 * 2**20
_MORE_FILES = 300
# Callers who leave are noticed within this.
_SETTLING_SECONDS = 20.0
# For calls that are still on their way out when the waiting for them ends. A way to leave calls
# behind would be met far more often.
_MORE_CALLS = 25
# Whatever level they have: nobody awaited them, or nobody caught them.
_NOBODY_CARED = ("never retrieved", "was never awaited", "Traceback (most recent call last)")
# What gRPC logs when there is nobody any more to answer.
_CALLER_IS_GONE = "ExecuteBatchError raised in core by servicer method"
# What the pool of database connections logs when the call that used one was given up: it throws
# the connection away.
_CONNECTION_CUT = ("Exception during reset or similar", "Exception closing connection")


@dataclass(frozen=True)
class Seen:
    """What a process held at one moment."""

    pid: int
    memory_bytes: int
    files: int


class Watch:
    """Compares the processes of a mesh with what they were."""

    def __init__(self, theatre: Theatre, token: str) -> None:
        self._theatre = theatre
        self._read: dict[str, int] = {}
        self._started = self.seen()
        self._warm: Mapping[str, Seen] | None = None
        self.log_errors({})
        self._calls = self._open_calls(token)

    def seen(self) -> dict[str, Seen]:
        """Return what every process holds."""
        found = {}
        for component in self._theatre.house.state.components:
            process = psutil.Process(component.pid)
            memory = int(process.memory_info().rss)
            found[component.name] = Seen(component.pid, memory, process.num_fds())
        return found

    def problems(self, token: str, refused: Mapping[str, int]) -> list[str]:
        """Return what is not as it should be.

        Args:
            token: Of an admin.
            refused: For each service, how many calls through the gateway gRPC's library has
                refused for the size of their headers: it counts many of them as begun, and
                never as ended.
        """
        statuses = local_mesh.status(self._theatre.house.home)
        found = [
            f"{status.name} is {status.health}"
            for status in statuses
            if status.health != Health.SERVING
        ]
        found += [
            f"{status.name} is another process"
            for status in statuses
            if status.pid != self._started[status.name].pid
        ]
        if found:
            return found
        found += self._growth()
        found += self._calls_left(token, refused)
        errors: dict[str, int] = {}
        self.log_errors(errors)
        return found + [f"{text} ({count} times)" for text, count in errors.items()]

    def warm(self) -> None:
        """Take what processes hold now as what they may hold."""
        self._warm = self.seen()

    def log_errors(self, found: dict[str, int]) -> None:
        """Count the new errors in the logs."""
        for service in SERVICES:
            path = self._theatre.house.home.log(service)
            with path.open(encoding="utf-8", errors="replace") as log:
                log.seek(self._read.get(service, 0))
                for line in log:
                    problem = _problem_in(line)
                    if problem:
                        text = f"the log of {service}: {problem}"
                        found[text] = found.get(text, 0) + 1
                self._read[service] = log.tell()

    def _growth(self) -> Iterable[str]:
        if self._warm is None:
            return
        for name, now in self.seen().items():
            before = self._warm[name]
            if now.memory_bytes > before.memory_bytes + _MORE_BYTES:
                held, once = now.memory_bytes >> 20, before.memory_bytes >> 20
                yield f"{name} holds {held} MiB, before {once}"
            if now.files > before.files + _MORE_FILES:
                yield f"{name} has {now.files} open files, before {before.files}"

    def _calls_left(self, token: str, refused: Mapping[str, int]) -> list[str]:
        deadline = time.monotonic() + _SETTLING_SECONDS
        while True:
            now = self._open_calls(token)
            left = [
                f"{service} still works on {count} calls, before {self._calls[service]}"
                for service, count in now.items()
                if count > self._calls[service] + refused.get(service, 0) + _MORE_CALLS
            ]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.5)

    def _open_calls(self, token: str) -> dict[str, int]:
        """Return how many calls each service has begun and not ended, as gRPC itself counts."""
        return {service: self._open_at(service, token) for service in SERVICES}

    def _open_at(self, service: str, token: str) -> int:
        with grpc.insecure_channel(self._theatre.address(service)) as channel:
            answer: Any = channelz_pb2_grpc.ChannelzStub(channel).GetServers(
                channelz_pb2.GetServersRequest(),
                metadata=(("authorization", f"Bearer {token}"),),
                timeout=30,
            )
        counts = [server.data for server in answer.server]
        return sum(c.calls_started - c.calls_succeeded - c.calls_failed for c in counts)


def _is_cut_off(event: str, line: str) -> bool:
    return event.startswith(_CONNECTION_CUT) and "Cancelled" in line


def _problem_in(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = {"event": line.strip()}
    event = str(entry.get("event", ""))
    if event.startswith(_CALLER_IS_GONE) or _is_cut_off(event, line):
        return ""
    cared_for = entry.get("level") not in ("error", "critical") and not any(
        sign in line for sign in _NOBODY_CARED
    )
    if cared_for:
        return ""
    said = entry.get("error") or entry.get("details") or ""
    return f"{event[:200]} {str(said)[:300]}".strip()
