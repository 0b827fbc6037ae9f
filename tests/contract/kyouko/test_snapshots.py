"""What every snapshot store promises."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from kyouko.domain.engine import EngineState
from kyouko.domain.networks.network import SnapshotContent
from kyouko.ports import DamagedSnapshot, SnapshotStore
from kyouko.storage.snapshots import BlobSnapshotStore, decode, encode
from mesh.blobs import BlobStore


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
