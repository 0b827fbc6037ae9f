"""Lines of a file that may grow, be replaced or be cut off, and of stdin; with their places."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.streaming.places import Place, Tell

_POLL_SECONDS = 0.1
_START_AGAIN = "To begin a new session at the start of the source: --fresh"


class PipeLines:
    """Lines of a pipe; one that is gone on with has to begin anew with the same bytes.

    Attributes:
        place: behind the last line.
    """

    def __init__(self, pipe: BinaryIO, place: Place | None) -> None:
        self._pipe = pipe
        self._start = place
        self.place = Place(0, 0)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines behind the start.

        Raises:
            CommandFailure: the pipe does not begin with what was read before.
        """
        for line in self._pipe:
            self.place = self.place.behind(line)
            if self._start is None or self.place.offset > self._start.offset:
                self._check_start(line)
                yield line
        self._check_start(b"")

    def _check_start(self, line: bytes) -> None:
        start, self._start = self._start, None
        if start is not None and self.place.offset - len(line) != start.offset:
            raise CommandFailure(
                "This is not the input of before: its lines end elsewhere.", hint=_START_AGAIN
            )


class FileLines:
    """Lines of a file, from a place on; following it goes on at its end, as `tail -F` does.

    Attributes:
        place: behind the last line.
    """

    def __init__(
        self, path: Path, place: Place | None, *, follow: bool, stop: threading.Event, tell: Tell
    ) -> None:
        self._path = path
        self._follow = follow
        self._stop = stop
        self._tell = tell
        self._start = place
        self.place = place or Place(0, 0)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines.

        Raises:
            CommandFailure: the file is not the one of the place, and is not followed.
        """
        file = self._open_first()
        while file is not None:
            with file:
                yield from self._lines_of(file)
            file = self._open_next() if self._follow and not self._stop.is_set() else None

    def _lines_of(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield lines until the file is at its end, or replaced."""
        while not self._stop.is_set():
            line = file.readline()
            if line.endswith(b"\n") or (line and not (self._follow and self._waits(file, line))):
                self.place = self.place.behind(line)
                yield line
            elif not line and not (self._follow and self._waits(file, line)):
                return

    def _waits(self, file: BinaryIO, line: bytes) -> bool:
        """Wait at the end of a file; returns False once it will not grow any more."""
        offset, size = self.place.offset, self.place.offset + len(line)
        is_replaced = False
        while not self._stop.wait(_POLL_SECONDS):
            now = Path(f"/dev/fd/{file.fileno()}").stat().st_size
            if now < size:
                self._tell(f"{self._path} was cut off; going on at its start.")
                self.place = self._start_of(file)
                offset = size = 0
            if now > size:
                break
            if is_replaced:
                return False
            # Who writes may have written once more before it took the new file.
            is_replaced = self._is_replaced()
        file.seek(offset)
        return True

    def _is_replaced(self) -> bool:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False  # It is on its way.
        return (found.st_dev, found.st_ino) != (self.place.device, self.place.inode)

    def _open_first(self) -> BinaryIO | None:
        start, self._start = self._start, None
        if start is None:
            return self._open_next(is_first=True)
        for path in (self._path, *self._renamed(start)):
            file = self._open_if_it_fits(path, start)
            if file is not None:
                return file
        if not self._follow:
            raise CommandFailure(
                f"{self._path} is not the file of before: it was replaced or changed.",
                hint=_START_AGAIN,
            )
        self._tell(f"{self._path} was replaced or cut off meanwhile; going on at its start.")
        return self._open_next()

    def _renamed(self, start: Place) -> list[Path]:
        """Return the file of the place under the name that it has now, as rotated logs do."""
        if not self._follow:
            return []
        found = []
        for path in self._path.parent.iterdir():
            status = path.lstat()
            if (status.st_dev, status.st_ino) == (start.device, start.inode):
                found.append(path)
        return found

    def _open_if_it_fits(self, path: Path, start: Place) -> BinaryIO | None:
        if not path.exists():
            return None
        file = path.open("rb")
        here = self._start_of(file)
        if (here.device, here.inode) == (start.device, start.inode) and start.fits(file):
            file.seek(start.offset)
            return file
        file.close()
        return None

    def _open_next(self, *, is_first: bool = False) -> BinaryIO | None:
        """Open the file of the name; waits for it when it is followed."""
        is_told = not is_first
        while not self._stop.is_set():
            try:
                file = self._path.open("rb")
            except FileNotFoundError:
                if not self._follow:
                    raise
                if not is_told:
                    self._tell(f"Waiting for {self._path}.")
                is_told = True
                self._stop.wait(_POLL_SECONDS)
            else:
                if not is_first:
                    self._tell(f"Going on with the new {self._path}.")
                self.place = self._start_of(file)
                return file
        return None

    def _start_of(self, file: BinaryIO) -> Place:
        status = Path(f"/dev/fd/{file.fileno()}").stat()
        return Place(status.st_dev, status.st_ino)


def check_followable(file: str, *, follow: bool) -> None:
    """Refuse to follow what cannot be followed."""
    if follow and file == "-":
        raise CommandFailure(
            "--follow needs a FILE; stdin is read until it ends anyway.", exit_code=EXIT_USAGE
        )
