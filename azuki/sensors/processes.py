"""Finds the processes of the services, and what each uses."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import psutil
import structlog

from azuki.domain.counters import ProcessIdentity

_log = structlog.get_logger(__name__)
# Going through all processes costs milliseconds; a new one may wait that long.
_SEARCH_SECONDS = 5.0
# How much later than its pid file a process may claim to have begun: clocks tick.
_SLACK_SECONDS = 2.0


@dataclass(frozen=True)
class Usage:
    """What a service's process has used: CPU time so far, memory now (resident)."""

    service: str
    process: ProcessIdentity
    cpu_seconds: float
    memory_bytes: int


class Finder(Protocol):
    """Says which process a service has now."""

    def find(self, service: str) -> psutil.Process | None:
        """Return the living process of a service, if there is one."""


class ProcessFinder:
    """The services' processes, kept from one reading to the next."""

    def __init__(self, services: Iterable[str], finder: Finder) -> None:
        self._services = tuple(services)
        self._finder = finder
        self._known: dict[str, psutil.Process] = {}

    def usages(self) -> Sequence[Usage]:
        """Return what each service that lives now has used."""
        found = (self._usage(service) for service in self._services)
        return [usage for usage in found if usage is not None]

    def _usage(self, service: str) -> Usage | None:
        process = self._known.get(service)
        if process is None or not _lives(process):
            process = self._finder.find(service)
        if process is None:
            self._known.pop(service, None)
            return None
        self._known[service] = process
        return _usage_of(service, process)


class PidFiles:
    """Finds a service's process by the file `<service>.pid` in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, service: str) -> psutil.Process | None:
        """Return the process that the file names, unless its number is another's by now."""
        path = self._folder / f"{service}.pid"
        try:
            pid, written = int(path.read_text(encoding="utf-8").strip()), path.stat().st_mtime
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("unusable pid file", path=str(path), error=str(error))
            return None
        try:
            process = psutil.Process(pid)
            if process.create_time() > written + _SLACK_SECONDS or not _lives(process):
                return None
        except psutil.Error:
            return None
        return process


class CommandLines:
    """Finds a service's process by its command line, `python -m <service>`.

    Of several it takes the one that has run for longest. Looks through all
    processes at most every few seconds.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._searched_at = float("-inf")
        self._found: list[psutil.Process] = []

    def find(self, service: str) -> psutil.Process | None:
        """Return the oldest process that runs the service's module."""
        if self._now() - self._searched_at >= _SEARCH_SECONDS:
            self._searched_at = self._now()
            self._found = sorted(_python_modules(), key=lambda process: process.create_time())
        for process in self._found:
            if _module_of(process) == service and _lives(process):
                return process
        return None


def _python_modules() -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["create_time"]) if _module_of(process)]


def _module_of(process: psutil.Process) -> str:
    try:
        arguments = process.cmdline()
    except psutil.Error:
        return ""
    if not arguments or "python" not in Path(arguments[0]).name:
        return ""
    for option, value in pairwise(arguments):
        if option == "-m":
            return value
    return ""


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _usage_of(service: str, process: psutil.Process) -> Usage | None:
    try:
        with process.oneshot():
            spent = process.cpu_times()
            return Usage(
                service=service,
                process=ProcessIdentity(process.pid, process.create_time()),
                cpu_seconds=spent.user + spent.system,
                memory_bytes=process.memory_info().rss,
            )
    except psutil.Error:
        # It ended between one look and the next.
        return None
