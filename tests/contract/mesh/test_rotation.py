"""Bringing a whole store under another key."""

from pathlib import Path

import pytest

from mesh.blobs import BlobStore
from mesh.encryption.keys import Encryption, KeyEncryptionKey, KeyRing
from mesh.encryption.rotation import report, rewrap_all

OLD, NEW, LOST = (KeyEncryptionKey(key * 32) for key in (b"o", b"n", b"l"))


def store(folder: Path, *keys: KeyEncryptionKey) -> BlobStore:
    """Return a store with these keys, the first one in use."""
    ring = KeyRing(keys) if keys else None
    return BlobStore.in_folder(folder, service="garden", encryption=Encryption(ring))


async def test_store_needs_the_new_key_only_afterwards(tmp_path: Path) -> None:
    """Objects of the old key, plain ones and the store's own mark are all brought along."""
    await store(tmp_path).put("plain", b"1")
    await store(tmp_path, OLD).prepare()
    await store(tmp_path, OLD).put("a/old", b"2")
    await store(tmp_path, NEW).put("new", b"3")

    done = await rewrap_all(store(tmp_path, NEW, OLD))

    again = await rewrap_all(store(tmp_path, NEW))
    after = store(tmp_path, NEW)
    await after.prepare()
    assert [b"1", b"2", b"3"] == [await after.get(name) for name in ("plain", "a/old", "new")]
    assert (2, 3, []) == (done.changed, done.total, done.problems)
    assert (0, 3) == (again.changed, again.total)


async def test_what_cannot_be_opened_is_told_and_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One lost key does not keep the others from being replaced, and is not forgotten either."""
    await store(tmp_path, LOST).put("lost", b"1")
    await store(tmp_path, OLD).put("old", b"2")

    done = await rewrap_all(store(tmp_path, NEW, OLD))

    code = report("garden", done)
    shown = capsys.readouterr()
    assert b"2" == await store(tmp_path, NEW).get("old")
    assert b"1" == await store(tmp_path, LOST).get("lost")
    assert 1 == code
    assert f"garden/lost is encrypted with the key {LOST.id.hex()}" in shown.err
    assert "garden: 2 objects, 1 of them brought under the key in use\n" == shown.out
