"""What a stream needs to go on after it was killed: its session, and where each frame ends.

A bookmark is a file of JSON lines. The first says what no crash can take: the session's
token, the sequence of the last durable frame and the place in the source behind it. The
others say where each frame ends that was sent after it; each is written before its frame
is sent. When more frames are durable the file is replaced in one step. The server says
which frame of the session was its last, and the bookmark where that frame ended.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.cli.streaming.places import Place
from hanami_sdk.private_files import write_private

_VERSION = 1
_FRESH = "To begin a new session at the start of the source: --fresh"


class Bookmark:
    """One stream's bookmark; `begin` comes first. Safe to use from two threads.

    Attributes:
        token: of the session; empty when there is none yet.
        columns: the names of the source's columns, once known.
    """

    def __init__(self, path: Path, network: str, source: str) -> None:
        self.path = path
        self.token = ""
        self.columns: tuple[str, ...] = ()
        self._network = network
        self._source = source
        self._durable = 0
        self._place: Place | None = None
        self._ahead: dict[int, Place | None] = {}
        self._written_columns: tuple[str, ...] = ()
        self._file: Any = None
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: Path, network: str, source: str) -> Bookmark:
        """Read a bookmark; one that is not there is empty.

        Raises:
            CommandFailure: it is damaged, or is about another stream.
        """
        mark = cls(path, network, source)
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return mark
        try:
            mark._read(lines)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise CommandFailure(f"{path} is no bookmark of a stream.", hint=_FRESH) from error
        return mark

    def begin(self, token: str, last_sequence: int) -> Place | None:
        """Take up the session; returns where in the source to go on, `None` for its start.

        Args:
            token: of the session.
            last_sequence: the session's last frame, as the server has it, durable.

        Raises:
            CommandFailure: the bookmark does not know that frame.
        """
        if last_sequence == self._durable:
            place = self._place
        elif last_sequence in self._ahead:
            place = self._ahead[last_sequence]
        else:
            raise CommandFailure(
                f"{self.path} does not know frame {last_sequence}, the last one of the session.",
                hint=_FRESH,
            )
        self.token, self._durable, self._place, self._ahead = token, last_sequence, place, {}
        self._rewrite()
        return place

    def note(self, sequence: int, place: Place | None) -> None:
        """Write down where a frame ends; call it before the frame is sent."""
        with self._lock:
            self._ahead[sequence] = place
            if self.columns != self._written_columns:
                self._rewrite()
                return
            line = json.dumps([sequence, place.as_list() if place else None]) + "\n"
            # Unbuffered: what is written outlives this process.
            self._file.write(line.encode())

    def settle(self, durable_sequence: int) -> None:
        """Write down that frames are durable."""
        with self._lock:
            known = [sequence for sequence in self._ahead if sequence <= durable_sequence]
            if not known:
                return
            self._durable = max(known)
            self._place = self._ahead[self._durable]
            for sequence in known:
                del self._ahead[sequence]
            self._rewrite()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _rewrite(self) -> None:
        first = {
            "version": _VERSION,
            "network": self._network,
            "source": self._source,
            "resume_token": self.token,
            "sequence": self._durable,
            "place": self._place.as_list() if self._place else None,
            "columns": list(self.columns),
        }
        ahead = ([n, place.as_list() if place else None] for n, place in self._ahead.items())
        write_private(self.path, "".join(f"{json.dumps(line)}\n" for line in [first, *ahead]))
        self._written_columns = self.columns
        self.close()
        self._file = self.path.open("ab", buffering=0)

    def _read(self, lines: Sequence[str]) -> None:
        first = json.loads(lines[0])
        if first["version"] != _VERSION:
            raise ValueError(first["version"])
        for name, wanted in (("network", self._network), ("source", self._source)):
            if first[name] != wanted:
                raise CommandFailure(
                    f"{self.path} is about the {name} {first[name]}, not {wanted}.",
                    hint="Name another file: --resume FILE",
                )
        self.token = first["resume_token"]
        self._durable = first["sequence"]
        self._place = _place(first["place"])
        self.columns = tuple(first["columns"])
        for line in lines[1:]:
            try:
                sequence, place = json.loads(line)
            except ValueError:
                break  # The process was killed while it wrote this: the frame was never sent.
            self._ahead[sequence] = _place(place)


def _place(numbers: list[int] | None) -> Place | None:
    return Place(*numbers) if numbers else None


def usual_path(home: Path, mesh: str, network: str, source: str) -> Path:
    """Return where the bookmark of a network and a source is kept."""
    key = hashlib.sha256(f"{mesh}\n{network}\n{source}".encode()).hexdigest()[:16]
    return home / "streams" / f"{network.rsplit('/', 1)[-1]}-{key}.jsonl"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep other processes from the bookmark.

    Raises:
        CommandFailure: another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandFailure(
                f"Another hanami stream is at work with {path}.",
                hint="Let it end first, or name another file: --resume FILE",
            ) from error
        yield
    finally:
        os.close(descriptor)
