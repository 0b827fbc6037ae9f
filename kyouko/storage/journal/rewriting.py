"""Brings the files of journals under the key in use, while no process writes them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kyouko.storage.journal.encrypted import RecordCipher, key_id_of
from kyouko.storage.journal.files import take_directory
from kyouko.storage.journal.records import record_head, size_of
from kyouko.storage.journal.segment import (
    SUFFIX,
    SegmentError,
    SegmentHeader,
    SegmentReader,
    new_header,
    read_header,
)
from kyouko.storage.journal.writing import sync_folder
from mesh.encryption.keys import Encryption, EncryptionError

_UNFINISHED: Final = ".new"
Records = Sequence[tuple[int, bytes]]


def rewrite(folder: Path, encryption: Encryption) -> tuple[int, Sequence[str]]:
    """Encrypt anew what is not encrypted with the key in use.

    Returns:
        The number of files changed, and what still needs other keys, in words.
    """
    if not folder.is_dir():
        return 0, ()
    try:
        lock = take_directory(folder)
    except BlockingIOError:
        return 0, _waiting(folder, encryption)
    try:
        changed, problems = 0, []
        for path in _segments(folder):
            try:
                changed += _rewrite(path, encryption)
            except (SegmentError, EncryptionError) as error:
                problems.append(f"{path}: {error}")
        return changed, problems
    finally:
        os.close(lock)


def _rewrite(path: Path, encryption: Encryption) -> bool:
    """Replace a segment in one step, if necessary; tells whether it was."""
    header, records = _read(path)
    if encryption.keys is None or _needs_only(records, encryption.keys.active.id):
        return False
    uid = path.parent.name
    cipher = RecordCipher(uid, encryption)
    start, fresh = new_header(uid, header.first, header.base)
    unfinished = path.with_suffix(_UNFINISHED)
    with unfinished.open("wb") as file:
        file.write(start)
        for position, data in records:
            parts = cipher.seal(position, [cipher.open(position, data)])
            size = sum(map(size_of, parts))
            file.write(record_head(position, size, parts, fresh.seed))
            file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    sync_folder(path.parent)
    return True


def _waiting(folder: Path, encryption: Encryption) -> Sequence[str]:
    """Return which journals need other keys, beside the process that writes them."""
    uids = set()
    for path in _segments(folder):
        try:
            _, records = _read(path)
        except (SegmentError, FileNotFoundError):
            # Superfluous since we looked, or just being written to: counts as needing them.
            uids.add(path.parent.name)
            continue
        if encryption.keys is None or not _needs_only(records, encryption.keys.active.id):
            uids.add(path.parent.name)
    return [
        f"the journal {uid} may need other keys; it is brought along while kyouko is stopped"
        for uid in sorted(uids)
    ]


def _segments(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob(f"*/*{SUFFIX}"))


def _read(path: Path) -> tuple[SegmentHeader, Records]:
    header = read_header(path, path.parent.name)
    reader = SegmentReader(path, header)
    records = list(reader.records())
    if reader.problem:
        raise SegmentError(f"{reader.problem}; start kyouko once, which repairs it or says more")
    return header, records


def _needs_only(records: Records, key_id: bytes) -> bool:
    return all(key_id_of(data) == key_id for _, data in records)
