"""Wrapping the keys of files anew, and being broken off at any moment of it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mesh.encryption.keys import Damaged, KeyEncryptionKey, KeyRing, UnknownKey
from mesh.encryption.rewrapping import rewrap_file
from mesh.encryption.sealed import HEADER_BYTES, Opener, seal

OLD = KeyRing([KeyEncryptionKey(bytes(32))])
NEW = KeyRing([KeyEncryptionKey(b"n" * 32)])
BOTH = KeyRing([KeyEncryptionKey(b"n" * 32), KeyEncryptionKey(bytes(32))])
CONTENT = b"content" * 1000


class PowerFailure(Exception):
    """Everything ends."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return an encrypted file."""
    path = tmp_path / "a"
    path.write_bytes(seal(CONTENT, place="a", keys=OLD))
    return path


def content_of(path: Path, keys: KeyRing) -> bytes:
    """Return what is in a file."""
    sealed = path.read_bytes()
    return Opener(sealed[:HEADER_BYTES], len(sealed), place="a", keys=keys).open_all(sealed)


def test_only_the_header_of_a_file_changes(file: Path) -> None:
    """The body stays, to the byte, and the file where it is."""
    body, number = file.read_bytes()[HEADER_BYTES:], file.stat().st_ino

    changes = [rewrap_file(file, place="a", keys=BOTH) for _ in range(2)]

    assert [True, False] == changes
    assert CONTENT == content_of(file, NEW)
    assert (body, number) == (file.read_bytes()[HEADER_BYTES:], file.stat().st_ino)


def failing_after(count: int, *, torn: bool) -> Callable[[int, bytes, int], int]:
    """Return a `pwrite` that fails after some writes, half-way through one if torn."""
    real, done = os.pwrite, 0

    def write(descriptor: int, data: bytes, offset: int) -> int:
        nonlocal done
        if done == count:
            if torn:
                real(descriptor, data[: len(data) // 2], offset)
            raise PowerFailure
        done += 1
        return real(descriptor, data, offset)

    return write


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("writes", [0, 1])
def test_broken_off_rotation_harms_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch, writes: int, torn: bool
) -> None:
    """Whenever it ends, also in the middle of a write, the file opens, and another try succeeds."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", failing_after(writes, torn=torn))
        with pytest.raises(PowerFailure):
            rewrap_file(file, place="a", keys=BOTH)

    after_the_failure = content_of(file, BOTH)
    changed = rewrap_file(file, place="a", keys=BOTH)

    assert CONTENT == after_the_failure
    assert changed
    assert CONTENT == content_of(file, NEW)
    with pytest.raises((UnknownKey, Damaged)):
        content_of(file, OLD)


def test_file_of_an_unknown_key_is_left_alone(file: Path) -> None:
    """Without the old key nothing is touched."""
    before = file.read_bytes()

    with pytest.raises(UnknownKey, match=OLD.active.id.hex()):
        rewrap_file(file, place="a", keys=NEW)

    assert before == file.read_bytes()
