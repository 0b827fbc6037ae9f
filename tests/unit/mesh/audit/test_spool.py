"""Records that wait in files."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesh.audit.spool import Spool

ROOM = 2**16


def opened(folder: Path, *, max_bytes: int = ROOM, segment_bytes: int = 1000) -> Spool:
    """Return a spool with small segments."""
    return Spool(folder, max_bytes=max_bytes, segment_bytes=segment_bytes)


def drained(spool: Spool, *, at_once: int = 7) -> list[tuple[int, bytes]]:
    """Take everything out, and return it."""
    found: list[tuple[int, bytes]] = []
    while not spool.is_empty:
        batch = spool.peek(max_records=at_once, max_bytes=ROOM)
        found += batch.records
        spool.drop(batch)
    return found


def test_records_come_out_in_order(tmp_path: Path) -> None:
    """What went in comes out once, in order, with its kind, over many segments."""
    spool = opened(tmp_path)
    records = [(number % 2, f"record {number}".encode() * 9) for number in range(100)]

    kept = [spool.append(kind, content) for kind, content in records]

    assert all(kept)
    assert records == drained(spool)
    assert 1 == len(list(tmp_path.iterdir()))


def test_peeking_takes_nothing_away(tmp_path: Path) -> None:
    """What is not dropped comes again."""
    spool = opened(tmp_path)
    spool.append(1, b"first")
    spool.append(1, b"second")

    first, again = (spool.peek(max_records=1, max_bytes=ROOM) for _ in range(2))

    assert [(1, b"first")] == list(first.records) == list(again.records)


def test_batch_is_bounded_by_bytes(tmp_path: Path) -> None:
    """A batch ends before it gets too large, but never before its first record."""
    spool = opened(tmp_path)
    for _ in range(3):
        spool.append(1, b"x" * 100)

    two, one = (len(spool.peek(max_records=9, max_bytes=most).records) for most in (200, 50))

    assert (2, 1) == (two, one)


def test_records_survive_the_end_of_their_process(tmp_path: Path) -> None:
    """A spool that was never closed is read on by the next one, before what is new."""
    killed = opened(tmp_path)
    for number in range(30):
        killed.append(1, b"%d" % number * 50)
    batch = killed.peek(max_records=4, max_bytes=ROOM)
    killed.drop(batch)

    again = opened(tmp_path)
    again.append(1, b"new")

    # Those of the first segment that were dropped come again: it was not empty yet.
    assert [b"%d" % number * 50 for number in range(30)] + [b"new"] == [
        content for _, content in drained(again)
    ]


def test_torn_record_is_left_out(tmp_path: Path) -> None:
    """Half a record at the end of a file costs that record only."""
    killed = opened(tmp_path, segment_bytes=ROOM)
    killed.append(1, b"whole")
    killed.append(1, b"half a record")
    (file,) = tmp_path.iterdir()
    os.truncate(file, file.stat().st_size - 5)

    again = opened(tmp_path)
    again.append(1, b"new")

    assert [(1, b"whole"), (1, b"new")] == drained(again)


def test_damage_is_noticed(tmp_path: Path) -> None:
    """A record whose bytes have changed is not passed on."""
    killed = opened(tmp_path)
    killed.append(1, b"allowed")
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes().replace(b"allowed", b"refused"))

    assert [] == drained(opened(tmp_path))


def test_room_is_bounded_and_comes_back(tmp_path: Path) -> None:
    """Beyond its bound a spool takes nothing; when something is dropped it does again."""
    spool = opened(tmp_path, max_bytes=5000)
    kept = 0
    while spool.append(1, b"x" * 91):
        kept += 1
    refused = spool.append(1, b"x" * 91)
    size = sum(file.stat().st_size for file in tmp_path.iterdir())

    spool.drop(spool.peek(max_records=10, max_bytes=ROOM))

    assert (50, False, 5000, True) == (kept, refused, size, spool.append(1, b"x" * 91))


def test_full_disk_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that was cut short, or failed, is taken back."""
    spool = opened(tmp_path)
    spool.append(1, b"before")
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))
    short = spool.append(1, b"cut short")
    monkeypatch.setattr(os, "write", _no_space)
    failed = spool.append(1, b"failed")
    monkeypatch.setattr(os, "write", write)

    spool.append(1, b"after")

    assert (False, False) == (short, failed)
    assert [(1, b"before"), (1, b"after")] == drained(spool)


def _no_space(file: int, data: bytes) -> int:
    raise OSError(28, "No space left on device")


def test_closing_an_empty_spool_leaves_nothing(tmp_path: Path) -> None:
    """No file stays behind that holds nothing."""
    spool = opened(tmp_path)
    spool.append(1, b"gone")
    drained(spool)

    spool.close()

    assert [] == list(tmp_path.iterdir())


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    """Nobody else may read who did what."""
    spool = opened(tmp_path)
    spool.append(1, b"alice was here")

    assert [0o600] == [file.stat().st_mode & 0o777 for file in tmp_path.iterdir()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["append", "take", "kill"]), st.integers(1, 400))))
def test_any_history_loses_and_invents_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """However appends, drops and kills follow each other, all comes, in order; some twice."""
    folder = tmp_path_factory.mktemp("spool")
    spool = opened(folder, max_bytes=2**20, segment_bytes=300)
    written: list[bytes] = []
    taken: list[bytes] = []
    for number, (step, size) in enumerate(steps):
        if step == "append":
            written.append(b"%d " % number + b"x" * size)
            assert spool.append(1, written[-1])
        elif step == "take":
            batch = spool.peek(max_records=1 + size // 50, max_bytes=ROOM)
            taken += [content for _, content in batch.records]
            spool.drop(batch)
        else:
            spool = opened(folder, max_bytes=2**20, segment_bytes=300)
    taken += [content for _, content in drained(spool)]

    assert written == sorted(set(taken), key=written.index)
    assert [record for record in written if record in taken] == list(dict.fromkeys(taken))
