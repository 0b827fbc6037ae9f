"""What an upload sends."""

import hashlib
from pathlib import Path

import pytest
from hanami.shiori.v1 import dataset_service_pb2 as pb

from hanami_sdk.errors import InvalidArgument
from hanami_sdk.sessions import RENEW_BEFORE_SECONDS
from hanami_sdk.uploads import (
    CHUNK_BYTES,
    UploadPlan,
    UploadSource,
    plan_upload,
    upload_messages,
)


def test_files_are_announced_with_size_and_checksum(tmp_path: Path) -> None:
    """The server can tell a whole upload from a broken one."""
    data = b"a,b\n1,2\n"
    (tmp_path / "t.csv").write_bytes(data)

    plan = plan_upload(
        "projects/demo",
        "table",
        pb.FILE_FORMAT_CSV,
        [UploadSource("data", tmp_path / "t.csv")],
        target_column="b",
    )

    announced = plan.open.files[0]
    assert (announced.role, announced.size_bytes) == ("data", len(data))
    assert announced.sha256 == hashlib.sha256(data).hexdigest()
    assert plan.open.target_column == "b"


def test_bytes_follow_file_by_file(tmp_path: Path) -> None:
    """Chunks are in the announced order, each small enough, and none is lost."""
    contents = {"images": bytes(CHUNK_BYTES + 3), "labels": b"\x01\x02"}
    sources = []
    for role, content in contents.items():
        (tmp_path / role).write_bytes(content)
        sources.append(UploadSource(role, tmp_path / role))
    plan = plan_upload("projects/demo", "mnist", pb.FILE_FORMAT_IDX, sources)

    messages = list(upload_messages(plan))

    assert messages[0][0].HasField("open")
    chunks = [message.chunk for message, _ in messages[1:]]
    assert [chunk.role for chunk in chunks] == ["images", "images", "labels"]
    for role, content in contents.items():
        assert b"".join(chunk.data for chunk in chunks if chunk.role == role) == content
    assert messages[-1][1] == plan.total_bytes == CHUNK_BYTES + 5


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """It is told before anything is sent."""
    (tmp_path / "t.csv").touch()

    with pytest.raises(InvalidArgument, match="is empty"):
        plan_upload(
            "projects/demo", "t1", pb.FILE_FORMAT_CSV, [UploadSource("data", tmp_path / "t.csv")]
        )


def test_a_large_upload_asks_for_a_token_that_lasts() -> None:
    """As long as its bytes take over a line of a megabit a second; a small one for any token."""
    small, large = (UploadPlan(pb.UploadOpen(), (), total) for total in (1_000, 75_000_000))

    assert pytest.approx(RENEW_BEFORE_SECONDS, abs=0.1) == small.most_seconds
    assert RENEW_BEFORE_SECONDS + 600 == large.most_seconds
