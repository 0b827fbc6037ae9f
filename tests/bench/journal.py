"""The file journal against a bare loop of write and fdatasync over the same bytes.

Both write frames of 64 MNIST rows, and short records, in turn in one run and on one disk. The
journal takes them from another thread, as a learning network hands them over. The bare loop
writes pieces as large as the journal's and syncs each of them, so it shows what the disk can do.
Latency is the time from `append` to the news on the event loop; the bare loop's is that of
one write and its sync.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kyouko.ports import NetworkJournal
from kyouko.storage.journal.files import FileJournals
from tests.bench.mnist import Mnist
from tests.bench.report import Figure, at_least

_FRAME_ROWS = 64
_FRAMES = 3000
_SHORT_BYTES = 100
_SHORT_RECORDS = 100_000
_PIECE_BYTES = 8 * 2**20
# Bytes between two looks at whether there is room.
_HANDED_OVER_BYTES = 2**20
_LATENCY_FRAMES = 200
_LATENCY_SPACING_SECONDS = 0.025
# What is left of the disk's speed for frames. Short records are bound by Python, and only shown.
_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class _Run:
    """Seconds of one run, and latencies of single frames in seconds."""

    journal: float
    bare: float
    append: float


def measure(data: Mnist, runs: int) -> list[Figure]:
    """Write, in a new folder of the disk that holds this one."""
    frame = np.ascontiguousarray(data.train_images[:_FRAME_ROWS]).data.cast("B")
    short = memoryview(bytes(_SHORT_BYTES))
    with tempfile.TemporaryDirectory(prefix=".bench-journal-", dir=Path.cwd()) as name:
        folder = Path(name)
        frames = [_compared(folder, frame, _FRAMES) for _ in range(runs)]
        records = [_compared(folder, short, _SHORT_RECORDS) for _ in range(runs)]
        durable = asyncio.run(_latencies(folder / "latency", frame))
        single = _bare_latencies(folder / "bare", frame)
    return [
        *_frame_figures(frames, frame.nbytes),
        *_record_figures(records),
        *_latency_figures(durable, single),
    ]


def _frame_figures(runs: Sequence[_Run], size: int) -> list[Figure]:
    journal = [_FRAMES * size / run.journal for run in runs]
    bare = [_FRAMES * size / run.bare for run in runs]
    shares = [mine / most for mine, most in zip(journal, bare, strict=True)]
    return [
        Figure("journal.disk", statistics.median(bare), "bytes/s", runs=bare),
        Figure(
            "journal.frames",
            statistics.median(journal),
            "bytes/s",
            "journal.disk",
            statistics.median(shares),
            must=at_least(_LEAST_SHARE, of="ratio"),
            runs=journal,
            note=f"frames of {_FRAME_ROWS} rows, {size:,} bytes each",
        ),
        Figure(
            "journal.append",
            statistics.median(run.append / _FRAMES for run in runs) * 1e6,
            "us",
            note="what the appending thread spends on a frame, CPU time",
        ),
    ]


def _record_figures(runs: Sequence[_Run]) -> list[Figure]:
    journal = [_SHORT_RECORDS / run.journal for run in runs]
    note = f"records of {_SHORT_BYTES} bytes"
    return [
        Figure("journal.records", statistics.median(journal), "records/s", runs=journal, note=note)
    ]


def _latency_figures(durable: Sequence[float], bare: Sequence[float]) -> list[Figure]:
    figures = []
    for name, share in (("p50", 50), ("p99", 99)):
        mine, single = (float(np.percentile(some, share)) * 1e3 for some in (durable, bare))
        figures.append(
            Figure(
                f"journal.durable_{name}",
                mine,
                "ms",
                "one write and fdatasync",
                mine / single,
                note="from append to the news on the loop; one frame at a time, at rest before",
            )
        )
    return figures


def _compared(folder: Path, record: memoryview, count: int) -> _Run:
    """Write the same bytes both ways."""
    path = folder / "bare"
    bare = _bare_seconds(path, record, count)
    path.unlink()
    journal, append = asyncio.run(_journal_seconds(folder / "journals", record, count))
    return _Run(journal, bare, append)


def _bare_seconds(path: Path, record: memoryview, count: int) -> float:
    piece = bytes(record) * max(_PIECE_BYTES // record.nbytes, 1)
    left = count * record.nbytes
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    started = time.perf_counter()
    while left:
        left -= os.write(descriptor, piece[:left])
        os.fdatasync(descriptor)
    seconds = time.perf_counter() - started
    os.close(descriptor)
    return seconds


async def _journal_seconds(folder: Path, record: memoryview, count: int) -> tuple[float, float]:
    journals = FileJournals(folder)
    await journals.prepare()
    journal = await journals.open("bench", after=0)
    parts: list[bytes | memoryview] = [b"head", record]
    started = time.perf_counter()
    append = 0.0
    at_once = max(_HANDED_OVER_BYTES // record.nbytes, 1)
    for first in range(0, count, at_once):
        await journal.room()
        append += await asyncio.to_thread(_append, journal, parts, min(at_once, count - first))
    await journal.flush()
    seconds = time.perf_counter() - started
    await journal.close()
    await journals.delete("bench")
    await journals.close()
    return seconds, append


def _append(journal: NetworkJournal, parts: Sequence[bytes | memoryview], count: int) -> float:
    started = time.thread_time()
    for _ in range(count):
        journal.append(parts)
    return time.thread_time() - started


async def _latencies(folder: Path, record: memoryview) -> list[float]:
    journals = FileJournals(folder)
    await journals.prepare()
    journal = await journals.open("bench", after=0)
    moved = asyncio.Event()
    journal.watch(moved.set)
    found = []
    for _ in range(_LATENCY_FRAMES):
        await asyncio.sleep(_LATENCY_SPACING_SECONDS)
        moved.clear()
        started = time.perf_counter()
        position = journal.append([record])
        while journal.durable_position < position:
            await moved.wait()
            moved.clear()
        found.append(time.perf_counter() - started)
    await journals.close()
    return found


def _bare_latencies(path: Path, record: memoryview) -> list[float]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    found = []
    for _ in range(_LATENCY_FRAMES):
        time.sleep(_LATENCY_SPACING_SECONDS)
        started = time.perf_counter()
        os.write(descriptor, record)
        os.fdatasync(descriptor)
        found.append(time.perf_counter() - started)
    os.close(descriptor)
    return found
