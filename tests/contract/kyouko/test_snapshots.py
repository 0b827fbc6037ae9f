"""What every snapshot store promises."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import structlog.testing

from kyouko.domain.engine import EngineState
from kyouko.domain.networks.network import SnapshotContent
from kyouko.ports import DamagedSnapshot, SnapshotStore
from kyouko.storage.snapshots import BlobSnapshotStore, decode, encode
from mesh.blobs import BlobStore
from mesh.encryption.keys import Encryption, KeyEncryptionKey, KeyRing
from mesh.errors import Unavailable


def content(rows: int = 3) -> SnapshotContent:
    """Return a snapshot with arrays of several types, one of them empty."""
    return SnapshotContent(
        engine=EngineState(
            arrays={
                "weights": np.arange(rows * 8, dtype=np.float32).reshape(rows, 8),
                "counters": np.array([2**62, -1], np.int64),
                "flags": np.zeros((0, 4), np.uint8),
            },
            header={"engine": "growing", "format": 1},
        ),
        labels=("a", "größer", '"quoted"'),
        target_scale={"count": 3, "mean": [0.1]},
    )


def encrypted(folder: Path, key: bytes) -> BlobStore:
    """Return a store with a key of that byte only."""
    keys = KeyRing([KeyEncryptionKey(key * 32)])
    return BlobStore.in_folder(folder, service="kyouko", encryption=Encryption(keys))


def is_same(one: SnapshotContent, other: SnapshotContent) -> bool:
    """Tell whether two snapshots hold the same, to the bit."""
    arrays, others = one.engine.arrays, other.engine.arrays
    return (
        one.engine.header == other.engine.header
        and one.labels == other.labels
        and dict(one.target_scale) == dict(other.target_scale)
        and arrays.keys() == others.keys()
        and all(
            arrays[name].dtype == others[name].dtype and np.array_equal(arrays[name], others[name])
            for name in arrays
        )
    )


async def test_a_snapshot_comes_back_to_the_bit(snapshots: SnapshotStore) -> None:
    """Arrays, header, labels and scale are what they were."""
    name = await snapshots.save("net", content())

    assert is_same(content(), await snapshots.load(name))


async def test_a_store_tells_what_it_holds(snapshots: SnapshotStore) -> None:
    """A snapshot has a size and a time; of one that is not there nothing is known."""
    before = datetime.now(UTC)
    name = await snapshots.save("net", content())

    found = await snapshots.describe(name)
    missing = await snapshots.describe("net/none.safetensors")

    assert found is not None
    assert found.size_bytes >= 3 * 8 * 4
    assert abs(found.create_time - before) < timedelta(minutes=1)
    assert missing is None


async def test_a_missing_snapshot_is_damage(snapshots: SnapshotStore) -> None:
    """A snapshot that a row points to and that is not there is told by its name."""
    with pytest.raises(DamagedSnapshot, match=r"net/none\.safetensors"):
        await snapshots.load("net/none.safetensors")


async def test_a_flipped_bit_is_damage(tmp_path: Path) -> None:
    """Wherever it is, in the header or in an array."""
    blobs = BlobStore.in_folder(tmp_path)
    await blobs.prepare()
    store = BlobSnapshotStore(blobs)
    name = await store.save("net", content())
    whole = await blobs.get(name)

    for place in (9, len(whole) // 2, len(whole) - 1):
        await blobs.put(name, whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])

        with pytest.raises(DamagedSnapshot, match="digest"):
            await store.load(name)


async def test_changed_ciphertext_is_damage(tmp_path: Path) -> None:
    """Wherever it is, the snapshot is told by its name, and an older one can take its place."""
    store = BlobSnapshotStore(encrypted(tmp_path, b"k"))
    name = await store.save("net", content())
    file = tmp_path / name
    whole = file.read_bytes()

    for place in (40, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])

        with pytest.raises(DamagedSnapshot, match=f"kyouko/{name} is damaged"):
            await store.load(name)

    file.write_bytes(whole[:-1])
    with pytest.raises(DamagedSnapshot, match=f"kyouko/{name} is damaged.* bytes instead of"):
        await store.load(name)


async def test_a_wrong_key_is_no_damage(tmp_path: Path) -> None:
    """Nobody goes back to an older snapshot because a key is missing for a while."""
    name = await BlobSnapshotStore(encrypted(tmp_path, b"k")).save("net", content())

    with structlog.testing.capture_logs() as logged, pytest.raises(Unavailable):
        await BlobSnapshotStore(encrypted(tmp_path, b"x")).load(name)

    (entry,) = logged
    needed = KeyEncryptionKey(b"k" * 32).id.hex()
    assert f"kyouko/{name} is encrypted with the key {needed}" in entry["error"]


async def test_a_plain_snapshot_is_read_with_keys(tmp_path: Path) -> None:
    """What was stored before there were keys is not lost."""
    plain = BlobSnapshotStore(BlobStore.in_folder(tmp_path, service="kyouko"))
    name = await plain.save("net", content())

    assert is_same(content(), await BlobSnapshotStore(encrypted(tmp_path, b"k")).load(name))


async def test_an_encrypted_snapshot_shows_nothing(tmp_path: Path) -> None:
    """Neither a label nor a weight stands in the file."""
    name = await BlobSnapshotStore(encrypted(tmp_path, b"k")).save("net", content())

    stored = (tmp_path / name).read_bytes()
    weights = content().engine.arrays["weights"].tobytes()

    assert not any(part in stored for part in ("größer".encode(), b"growing", weights[8:40]))


async def test_snapshots_are_listed_and_deleted_by_prefix(snapshots: SnapshotStore) -> None:
    """Those of one network are found, or those of all; deleting twice is no error."""
    one, other = await snapshots.save("one", content()), await snapshots.save("one", content(4))
    two = await snapshots.save("two", content())

    await snapshots.delete(one)
    await snapshots.delete(one)

    assert [other] == list(await snapshots.names("one"))
    assert {other, two} == {*await snapshots.names("")}


def test_a_file_that_is_no_snapshot_is_refused() -> None:
    """Bytes of something else, a foreign safetensors file and a later version are ValueErrors."""
    arrays = {"a": np.zeros(1, np.float32)}
    later = json.dumps({"format": "hanami-network", "version": 99})
    files = [
        b"",
        b"no snapshot at all",
        safetensors.numpy.save(arrays),
        safetensors.numpy.save(arrays, metadata={"hanami": later}),
    ]

    refused = 0
    for data in files:
        with pytest.raises(ValueError, match=r"network|header|version"):
            decode(data)
        refused += 1

    assert len(files) == refused


def test_encoding_is_a_safetensors_file_with_a_header() -> None:
    """Other programs can read the arrays; the JSON header names the format and its version."""
    data = encode(content())

    length = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["hanami"])
    assert ("hanami-network", 2) == (header["format"], header["version"])
    assert {"weights", "counters", "flags"} == set(safetensors.numpy.load(data))
