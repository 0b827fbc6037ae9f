"""Uploads that go wrong: a clear error, nothing left, and the service goes on."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from hanami.shiori.v1 import dataset_service_pb2 as pb

from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import (
    RunningShiori,
    chunk,
    eventually,
    messages_of,
    name_of,
    opening,
    reason_of,
    start_shiori,
    unending,
)

CSV = {"data": b"a,b\n1,2\n3,4\n"}
OPEN = opening("bad", CSV)


async def stream(*messages: pb.UploadDatasetRequest) -> AsyncIterator[pb.UploadDatasetRequest]:
    """Send messages."""
    for message in messages:
        yield message


async def refused(shiori: RunningShiori, messages: Any) -> grpc.aio.AioRpcError:
    """Upload and return the error."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shiori.stub.UploadDataset(messages, metadata=shiori.alice)
    return caught.value


async def assert_still_works(shiori: RunningShiori) -> None:
    """Show that nothing is left of a failed upload, and that a good one succeeds."""
    assert shiori.is_clean()
    assert [] == await shiori.names()
    await shiori.upload("good", CSV)
    assert [name_of("good")] == await shiori.names()


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "STREAM_PROTOCOL"),
        ([pb.UploadDatasetRequest()], "FIELD_INVALID"),
        ([chunk("data", b"a")], "STREAM_PROTOCOL"),
        ([OPEN, OPEN], "STREAM_PROTOCOL"),
        ([OPEN, chunk("images", CSV["data"])], "STREAM_PROTOCOL"),
        ([OPEN, chunk("data", CSV["data"] + b"5,6\n")], "STREAM_PROTOCOL"),
        ([OPEN, chunk("data", CSV["data"]), chunk("data", b"x")], "STREAM_PROTOCOL"),
        ([OPEN, chunk("data", b"")], "FIELD_INVALID"),
        ([OPEN, chunk("data", bytes(2**20 + 1))], "FIELD_INVALID"),
        ([OPEN], "UPLOAD_TRUNCATED"),
        ([OPEN, chunk("data", CSV["data"][:-1])], "UPLOAD_TRUNCATED"),
        ([OPEN, chunk("data", CSV["data"][::-1])], "CHECKSUM_MISMATCH"),
        ([opening("bad", CSV, target_column="c"), chunk("data", CSV["data"])], "FIELD_INVALID"),
    ],
)
async def test_broken_upload_is_refused(
    shiori: RunningShiori, messages: list[pb.UploadDatasetRequest], reason: str
) -> None:
    """A broken upload says what is wrong with it and leaves nothing behind."""
    error = await refused(shiori, stream(*messages))

    assert (grpc.StatusCode.INVALID_ARGUMENT, reason) == (error.code(), reason_of(error).reason)
    await assert_still_works(shiori)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a,b\n1,2\n3\n", {"line": "3", "column": "b"}),
        ("1,2\n3,4\n", {"line": "1"}),
        ('a,b\n1,"2\n', {"line": "2"}),
        ("a,b\n", {"line": "2"}),
    ],
)
async def test_malformed_csv_is_refused_with_its_place(
    shiori: RunningShiori, text: str, place: dict[str, str]
) -> None:
    """A malformed CSV file is refused with line and column."""
    error = await refused(shiori, messages_of("bad", {"data": text.encode()}))

    assert "FILE_MALFORMED" == reason_of(error).reason
    assert {"file": "data", **place} == dict(reason_of(error).metadata)
    await assert_still_works(shiori)


async def test_all_mistakes_of_an_opening_come_together(shiori: RunningShiori) -> None:
    """The opening message is validated in full, with the path of every field."""
    file = pb.UploadFile(role="data", size_bytes=0, sha256="xyz")
    bad = opening("Bad Id", CSV, parent="nowhere", files=[file], format=99)

    error = await refused(shiori, stream(bad))

    details = error.details() or ""
    assert "FIELD_INVALID" == reason_of(error).reason
    for field in (
        "open.parent",
        "open.dataset_id",
        "open.format",
        "open.files[0].size_bytes",
        "open.files[0].sha256",
    ):
        assert field in details
    await assert_still_works(shiori)


async def test_taken_name_is_refused_before_the_bytes(shiori: RunningShiori) -> None:
    """A duplicate is refused although no chunk has been sent."""
    await shiori.upload("good", CSV)

    error = await refused(shiori, unending(opening("good", CSV)))

    assert grpc.StatusCode.ALREADY_EXISTS == error.code()
    assert {"resource": name_of("good")} == dict(reason_of(error).metadata)
    assert [name_of("good")] == await shiori.names()


async def test_too_large_upload_is_refused_before_the_bytes(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """An announced gigabyte beyond the limit is refused although no chunk has been sent."""
    file = pb.UploadFile(role="data", size_bytes=2**30, sha256="0" * 64)
    limit = 2**30 - 1

    async with start_shiori(
        misaki, tmp_path / "small", shiori.alice, max_upload_bytes=limit
    ) as small:
        error = await refused(small, unending(opening("large", CSV, files=[file])))

        assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_REACHED") == (
            error.code(),
            reason_of(error).reason,
        )
        assert {"limit": str(limit), "actual": str(2**30)} == dict(reason_of(error).metadata)
        await assert_still_works(small)


async def test_announced_gigabyte_takes_no_room(shiori: RunningShiori) -> None:
    """A gigabyte that is announced and does not come is truncation, not a full disk."""
    file = pb.UploadFile(role="data", size_bytes=2**30, sha256="0" * 64)
    first = opening("large", CSV, files=[file])

    error = await refused(shiori, stream(first, chunk("data", b"a,b\n")))

    assert "UPLOAD_TRUNCATED" == reason_of(error).reason
    assert {"file": "data", "expected": str(2**30), "actual": "4"} == dict(
        reason_of(error).metadata
    )
    await assert_still_works(shiori)


async def test_message_beyond_the_limit_is_refused(shiori: RunningShiori) -> None:
    """A message larger than the transport allows ends the call, not the service."""
    error = await refused(shiori, stream(OPEN, chunk("data", bytes(17 * 2**20))))

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == error.code()
    await assert_still_works(shiori)


async def test_cancelled_upload_leaves_nothing(shiori: RunningShiori) -> None:
    """A client that cancels in the middle of a file leaves neither file nor data set."""
    content = b"a,b\n" + b"1,2\n" * 500_000
    first = opening("half", {"data": content})
    call = shiori.stub.UploadDataset(
        unending(first, chunk("data", content[: 2**20])), metadata=shiori.alice
    )
    await eventually(lambda: any(path.stat().st_size for path in staged_files(shiori)))

    call.cancel()

    await eventually(shiori.is_clean)
    await assert_still_works(shiori)


async def test_cancelled_conversion_leaves_nothing(shiori: RunningShiori) -> None:
    """A client that cancels after the last byte stops the conversion, too."""
    content = b"a,b\n" + b"1,2\n" * 2_000_000
    call = shiori.stub.UploadDataset(messages_of("half", {"data": content}), metadata=shiori.alice)
    whole = len(content)
    await eventually(lambda: any(path.stat().st_size >= whole for path in staged_files(shiori)))

    call.cancel()

    await eventually(shiori.is_clean)
    await assert_still_works(shiori)


async def test_wrong_images_are_refused(shiori: RunningShiori) -> None:
    """IDX files whose headers do not fit their bytes are refused."""
    files = {"images": bytes([0, 0, 8, 3]) + b"\xff" * 12, "labels": b"\0\0\x08\x01\0\0\0\1\5"}

    error = await refused(shiori, messages_of("bad", files))

    assert ("FILE_MALFORMED", "images") == (
        reason_of(error).reason,
        reason_of(error).metadata["file"],
    )
    await assert_still_works(shiori)


async def test_wrong_checksum_names_both(shiori: RunningShiori) -> None:
    """The error holds the announced checksum and the one of the bytes that came."""
    announced = hashlib.sha256(b"something else").hexdigest()
    file = pb.UploadFile(role="data", size_bytes=len(CSV["data"]), sha256=announced)

    error = await refused(
        shiori, stream(opening("bad", CSV, files=[file]), chunk("data", CSV["data"]))
    )

    assert {
        "file": "data",
        "expected": announced,
        "actual": hashlib.sha256(CSV["data"]).hexdigest(),
    } == dict(reason_of(error).metadata)


def staged_files(shiori: RunningShiori) -> list[Path]:
    """Return the files of unfinished uploads."""
    return list((shiori.folder / "uploads").rglob("data"))
