"""What every store of blobs does: in memory, in a folder, on a real S3 server; encrypted or not."""

import asyncio
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from obstore.store import MemoryStore

from mesh.blobs import BlobStore
from mesh.encryption.keys import Damaged, Encryption, EncryptionError, KeyEncryptionKey, KeyRing
from tests.s3 import S3Server

# Beyond what an object store takes in one piece.
LARGE = bytes(range(256)) * 2**16


@pytest.fixture(params=["plain", "encrypted"])
def encryption(request: pytest.FixtureRequest) -> Encryption:
    """Return how blobs are encrypted: not at all, or always."""
    if request.param == "plain":
        return Encryption()
    return Encryption(KeyRing([KeyEncryptionKey(bytes(32))]), required=True)


@pytest.fixture(params=["memory", "folder", "s3"])
def blobs(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    encryption: Encryption,
) -> BlobStore:
    """Return an empty store of each kind."""
    if request.param == "memory":
        return BlobStore(MemoryStore(), place="memory", encryption=encryption)
    if request.param == "folder":
        return BlobStore.in_folder(tmp_path / "blobs", encryption=encryption)
    server: S3Server = request.getfixturevalue("s3_server")
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    url = f"s3://{server.new_bucket()}/some/prefix"
    return BlobStore.at(url, service="garden", default=tmp_path, encryption=encryption)


async def names(blobs: BlobStore, prefix: str = "") -> list[str]:
    """Return the names of all blobs in order."""
    return sorted([name async for name in blobs.names(prefix)])


async def test_blob_is_read_back(blobs: BlobStore) -> None:
    """A blob comes back whole, by range, and with its size."""
    await blobs.put("a/b", b"0123456789")

    assert b"0123456789" == await blobs.get("a/b")
    assert b"234" == await blobs.get_range("a/b", 2, 3)
    assert 10 == await blobs.size("a/b")


async def test_a_store_tells_when_a_blob_was_written(blobs: BlobStore) -> None:
    """And how many bytes it takes there, encrypted or not."""
    await blobs.put("a/b", b"0123456789")

    facts = await blobs.facts("a/b")

    assert facts.stored_bytes >= 10
    assert abs(facts.modify_time - datetime.now(UTC)) < timedelta(minutes=1)


async def test_large_file_becomes_a_blob(blobs: BlobStore, tmp_path: Path) -> None:
    """A file that is sent in several pieces arrives as it was."""
    source = tmp_path / "source"
    source.write_bytes(LARGE)

    await blobs.put("large", source)

    assert LARGE == await blobs.get("large")


async def test_new_blob_replaces_the_old_one_at_once(blobs: BlobStore) -> None:
    """Who reads while a blob is replaced gets the old or the new one, never a mixture."""
    old, new = b"o" * 2**20, b"n" * 2**20
    await blobs.put("a", old)

    async def replace() -> None:
        for content in (new, old) * 3:
            await blobs.put("a", content)

    replacing = asyncio.create_task(replace())
    seen = [await blobs.get("a")]
    while not replacing.done():
        seen.append(await blobs.get("a"))
    await replacing

    assert {old, new} >= set(seen)


async def test_failed_put_leaves_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    """A file that cannot be read does not become a blob."""
    with pytest.raises(FileNotFoundError):
        await blobs.put("a", tmp_path / "none")

    assert [] == await names(blobs)


async def test_missing_blob_is_told(blobs: BlobStore) -> None:
    """Whatever is asked of a blob that is not there ends in the same error."""
    with pytest.raises(FileNotFoundError):
        await blobs.get("none")
    with pytest.raises(FileNotFoundError):
        await blobs.get_range("none", 0, 1)
    with pytest.raises(FileNotFoundError):
        await blobs.size("none")
    with pytest.raises(FileNotFoundError):
        await asyncio.to_thread(blobs.open, "none")


async def test_deleted_blob_is_gone(blobs: BlobStore) -> None:
    """A deleted blob is not listed any more; deleting it again is no error."""
    await blobs.put("a", b"1")

    await blobs.delete("a")
    await blobs.delete("a")

    assert [] == await names(blobs)


async def test_blobs_are_listed_below_a_prefix(blobs: BlobStore) -> None:
    """A prefix is a folder: what merely begins like it is not below it."""
    for name in ("a/1", "a/2", "ab/3"):
        await blobs.put(name, b"1")

    assert ["a/1", "a/2"] == await names(blobs, "a")
    assert ["a/1", "a/2", "ab/3"] == await names(blobs)


async def test_open_blob_is_a_file(blobs: BlobStore) -> None:
    """An open blob reads and seeks like any file, also beyond its end."""
    await blobs.put("a", b"0123456789")

    def read() -> tuple[bytes, bytes, bytes, bytes]:
        buffer = bytearray(4)
        with blobs.open("a") as file:
            filled = file.readinto(buffer)
            rest = file.read()
            file.seek(-3, io.SEEK_END)
            last = file.read(2)
            file.seek(5, io.SEEK_CUR)
            return bytes(buffer[:filled]), rest, last, file.read(1)

    assert (b"0123", b"456789", b"78", b"") == await asyncio.to_thread(read)


async def test_row_group_is_read_without_the_others(
    blobs: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a Parquet blob only the ranges of the rows asked for are fetched."""
    source = tmp_path / "table"
    table = pa.table({"n": pa.array(range(200_000), pa.int64())})
    pq.write_table(table, source, row_group_size=50_000, compression="none", use_dictionary=False)
    await blobs.put("table", source)

    lengths: list[int] = []

    def read() -> pa.Table:
        with blobs.open("table") as file:
            whole = file.read

            def counted(size: int | None = -1) -> bytes:
                content = whole(size)
                lengths.append(len(content))
                return content

            monkeypatch.setattr(file, "read", counted)
            return pq.ParquetFile(file).read_row_group(2)

    group = await asyncio.to_thread(read)

    assert table.slice(100_000, 50_000) == group
    assert 50_000 * 8 < sum(lengths) < source.stat().st_size / 2


async def test_store_that_was_not_prepared_fails_its_check(blobs: BlobStore) -> None:
    """An empty store may be the wrong one."""
    with pytest.raises(FileNotFoundError):
        await blobs.check()


async def test_prepared_store_passes_its_check(blobs: BlobStore) -> None:
    """The mark that a start leaves is found, and counts as no blob."""
    await blobs.prepare()

    await blobs.check()

    assert [] == await names(blobs)


async def test_refused_credentials_end_the_start(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a wrong key a service does not start, and is told where and why, without the key."""
    for name, value in s3_server.environment(AWS_SECRET_ACCESS_KEY="wrong-secret").items():
        monkeypatch.setenv(name, value)
    blobs = BlobStore.at("s3://bucket/prefix", service="garden", default=tmp_path)

    with pytest.raises(SystemExit) as caught:
        await blobs.prepare()

    assert "cannot keep blobs in s3://bucket/prefix/garden: " in str(caught.value)
    assert "403 Forbidden" in str(caught.value)
    assert "wrong-secret" not in str(caught.value)


async def test_unreachable_server_ends_the_start(
    tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not answer is told within seconds."""
    server = S3Server(f"http://127.0.0.1:{free_port}")
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    blobs = BlobStore.at("s3://bucket", service="garden", default=tmp_path)

    with pytest.raises(SystemExit, match="cannot keep blobs in s3://bucket/garden: "):
        await blobs.prepare()


def with_key(folder: Path, *keys: bytes, required: bool = False) -> BlobStore:
    """Return a store in a folder with keys of these bytes."""
    ring = KeyRing([KeyEncryptionKey(key * 32) for key in keys]) if keys else None
    return BlobStore.in_folder(folder, service="garden", encryption=Encryption(ring, required))


async def test_blobs_from_before_the_keys_are_read(tmp_path: Path) -> None:
    """What was stored without keys can be read with them, unless encryption is required."""
    await with_key(tmp_path).put("a", b"from before")

    assert b"from before" == await with_key(tmp_path, b"k").get("a")
    with pytest.raises(EncryptionError, match="garden/a is not encrypted, which is required"):
        await with_key(tmp_path, b"k", required=True).get("a")
    with pytest.raises(EncryptionError, match="garden/a is not encrypted"):
        await asyncio.to_thread(with_key(tmp_path, b"k", required=True).open, "a")


async def test_swapped_blobs_are_found(tmp_path: Path) -> None:
    """A blob opens under its own name only, and in the part of its own service."""
    blobs = with_key(tmp_path, b"k")
    await blobs.put("a", b"1")
    await blobs.put("b", b"2")
    (tmp_path / "a").replace(tmp_path / "b")

    with pytest.raises(Damaged, match=r"^garden/b is damaged, or not what was written there"):
        await blobs.get("b")


async def test_start_with_a_wrong_key_is_refused(tmp_path: Path) -> None:
    """A service that cannot read what it has stored says at its start which key it needs."""
    await with_key(tmp_path, b"k").prepare()
    needed, known = (KeyEncryptionKey(key * 32).id.hex() for key in (b"k", b"x"))

    with pytest.raises(SystemExit, match=f"the key {needed}; the keys known here: {known}"):
        await with_key(tmp_path, b"x").prepare()
    with pytest.raises(SystemExit, match=f"the key {needed}; the keys known here: none"):
        await with_key(tmp_path).prepare()


async def test_keys_of_blobs_are_wrapped_anew(blobs: BlobStore, encryption: Encryption) -> None:
    """Rotation leaves the content as it is; plain blobs are encrypted on the way."""
    await blobs.put("a/b", LARGE)
    old = encryption.keys.active if encryption.keys else KeyEncryptionKey(bytes(32))
    new = KeyEncryptionKey(b"n" * 32)

    changed = [await with_keys(blobs, new, old).rewrap("a/b") for _ in range(2)]

    assert [True, False] == changed
    assert LARGE == await with_keys(blobs, new, required=True).get("a/b")


def with_keys(blobs: BlobStore, *keys: KeyEncryptionKey, required: bool = False) -> BlobStore:
    """Return the same store with other keys."""
    return blobs.with_encryption(Encryption(KeyRing(keys), required))
