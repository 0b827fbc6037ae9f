"""Opens the files of a journal after anything may have happened to them.

A last record that was cut off while it was written is removed. Anything else that is missing or
does not fit is damage: the good records before it stay, the rest is set aside under another
name for people to look at, and the journal goes on above all positions that it ever had.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import structlog

from kyouko.ports import JournalDamage
from kyouko.storage.journal.records import RECORD_BYTES
from kyouko.storage.journal.segment import (
    HEADER_BYTES,
    SUFFIX,
    SegmentError,
    SegmentHeader,
    SegmentReader,
    read_header,
)
from kyouko.storage.journal.writing import Segment, sync_folder

_log = structlog.get_logger(__name__)
_SEGMENT: Final = re.compile(r"(\d{20})" + re.escape(SUFFIX))
# First position, and the highest that may have been in use then.
_SET_ASIDE: Final = re.compile(r"(\d{20})-(\d{20})(?:-\d+)?\.damaged")


@dataclass(frozen=True)
class Recovered:
    """What was found.

    Attributes:
        segments: the good ones with records that are needed, oldest first.
        last_position: no position up to here may come again.
        base: the position on whose state the next record builds.
    """

    segments: Sequence[Segment]
    last_position: int
    base: int
    damage: JournalDamage | None


@dataclass(frozen=True)
class _Found:
    path: Path
    first: int
    header: SegmentHeader | None
    problem: str


def recover(folder: Path, uid: str, *, after: int) -> Recovered:
    """Repair the files of a journal whose records up to `after` are not needed.

    Raises:
        OSError: They cannot be looked at or repaired now.
    """
    if not folder.is_dir():
        return Recovered((), after, after, None)
    for unfinished in folder.glob("*.new"):
        unfinished.unlink()
    found = [_look_at(path, uid) for path in _segment_paths(folder)]
    needed = _first_needed(found, after)
    recovery = _Recovery(folder, after, _passed(found[: needed + 1]))
    recovery.walk(found[needed:])
    return recovery.result()


class _Recovery:
    """Walks along the segments, and ends at the first damage."""

    def __init__(self, folder: Path, after: int, passed: Sequence[Segment]) -> None:
        self._folder = folder
        self._after = after
        self._segments = list(passed)
        self._base = after
        self._damage: JournalDamage | None = None

    def walk(self, found: Sequence[_Found]) -> None:
        """Read all segments."""
        for index, one in enumerate(found):
            behind = found[index + 1 :]
            if one.header is None:
                return self._end(one.path.name, one.problem, [one, *behind])
            if one.header.base > self._base:
                problem = f"records from {self._base + 1} to {one.header.base} are missing"
                return self._end(one.path.name, problem, [one, *behind])
            if not self._read(one, one.header, behind):
                return None
        return None

    def result(self) -> Recovered:
        """Return what is left, with earlier damage that no snapshot has got over yet."""
        last = max([self._after, self._base, *(one.last for one in self._segments)])
        aside = _set_aside_files(self._folder)
        highest = max([last, *(highest for _, highest, _ in aside)])
        damage = self._damage or self._earlier_damage(aside)
        return Recovered(tuple(self._segments), highest, self._base, damage)

    def _read(self, one: _Found, header: SegmentHeader, behind: Sequence[_Found]) -> bool:
        following = behind[0].header if behind else None
        through = following.base if following else None
        reader = SegmentReader(one.path, header)
        for _ in reader.records(through):
            pass
        if reader.problem and (behind or reader.is_unreadable or reader.finds_records_behind()):
            self._damaged(one, header, reader, behind)
            return False
        if reader.problem:
            _cut(one.path, reader)
        self._keep(one, header, reader, seed=None if behind else header.seed)
        return True

    def _keep(
        self, one: _Found, header: SegmentHeader, reader: SegmentReader, seed: int | None
    ) -> None:
        self._segments.append(Segment(one.path, header.first, reader.last, reader.end, seed))
        if reader.last >= header.first:
            self._base = max(self._base, reader.last)

    def _damaged(
        self, one: _Found, header: SegmentHeader, reader: SegmentReader, behind: Sequence[_Found]
    ) -> None:
        if reader.last >= header.first:
            self._keep(one, header, reader, seed=None)
        self._end(one.path.name, reader.problem, [one, *behind], good_bytes=reader.end)

    def _end(
        self, place: str, problem: str, rest: Sequence[_Found], *, good_bytes: int = HEADER_BYTES
    ) -> None:
        self._damage = JournalDamage(place, self._base, problem)
        _log.error(
            "a journal is damaged",
            journal=self._folder.name,
            segment=place,
            last_good_position=self._base,
            problem=problem,
        )
        highest = max(self._after, *(_highest_possible(one) for one in rest))
        # From the end, so that a crash in between leaves the damage where it is found again.
        for one in reversed(rest[1:]):
            _set_aside(one, highest)
        if good_bytes > HEADER_BYTES:
            _keep_the_good_part(rest[0], highest, good_bytes)
        else:
            _set_aside(rest[0], highest)
        sync_folder(self._folder)

    def _earlier_damage(self, aside: Sequence[tuple[int, int, str]]) -> JournalDamage | None:
        """Return the damage of an earlier opening, while no later snapshot has been taken."""
        lasting = [one for one in aside if one[1] > self._after]
        if not lasting:
            return None
        first, highest, name = min(lasting)
        before = [one.last for one in self._segments if one.last <= highest]
        last_good = max([self._after, *before])
        return JournalDamage(name, last_good, f"set aside earlier, from position {first} on")


def _segment_paths(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _SEGMENT.fullmatch(path.name))


def _look_at(path: Path, uid: str) -> _Found:
    first = int(path.name.removesuffix(SUFFIX))
    try:
        return _Found(path, first, read_header(path, uid), "")
    except SegmentError as error:
        return _Found(path, first, None, str(error))


def _first_needed(found: Sequence[_Found], after: int) -> int:
    """Return the index of the segment in which the first needed record may be."""
    builds = [index for index, one in enumerate(found) if one.header and one.header.base <= after]
    return max(builds, default=0)


def _passed(found: Sequence[_Found]) -> list[Segment]:
    """Return the segments before the last one, of which no record is needed."""
    return [
        Segment(one.path, one.first, following.header.base, HEADER_BYTES)
        for one, following in pairwise(found)
        if following.header
    ]


def _set_aside_files(folder: Path) -> list[tuple[int, int, str]]:
    """Return first position, highest position and name of each file that was set aside."""
    names = ((_SET_ASIDE.fullmatch(path.name), path.name) for path in folder.iterdir())
    return [(int(match[1]), int(match[2]), name) for match, name in names if match]


def _highest_possible(found: _Found) -> int:
    return found.first + found.path.stat().st_size // RECORD_BYTES


def _cut(path: Path, reader: SegmentReader) -> None:
    """Remove what was never durable: the end of a file that was written when all ended."""
    size = path.stat().st_size
    _log.warning(
        "a journal ended in the middle of a record; its end is cut off",
        path=str(path),
        last_position=reader.last,
        cut_bytes=size - reader.end,
        problem=reader.problem,
    )
    with path.open("r+b") as file:
        file.truncate(reader.end)
        os.fsync(file.fileno())


def _aside_path(found: _Found, highest: int) -> Path:
    """Return a free name that says which positions were in use."""
    stem = f"{found.first:020d}-{highest:020d}"
    path = found.path.with_name(f"{stem}.damaged")
    number = 1
    while path.exists():
        number += 1
        path = found.path.with_name(f"{stem}-{number}.damaged")
    return path


def _set_aside(found: _Found, highest: int) -> None:
    found.path.rename(_aside_path(found, highest))


def _keep_the_good_part(found: _Found, highest: int, good_bytes: int) -> None:
    """Set a segment aside, and put a copy of its good records into its place."""
    good = found.path.with_suffix(".new")
    with found.path.open("rb") as source, good.open("wb") as copy:
        # In one piece: no more than a segment and its last record, and not a byte behind that.
        copy.write(source.read(good_bytes))
        copy.flush()
        os.fsync(copy.fileno())
    os.link(found.path, _aside_path(found, highest))
    good.rename(found.path)
