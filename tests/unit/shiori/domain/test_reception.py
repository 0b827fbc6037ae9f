"""The bytes of an upload, chunk by chunk."""

import hashlib

import pytest

from mesh.errors import InvalidArgument
from shiori.domain.announcement import AnnouncedFile, Announcement
from shiori.domain.dataset import DatasetName, FileFormat
from shiori.domain.reception import Chunk, Reception

IMAGES, LABELS = b"0123456789", b"abc"


@pytest.fixture
def reception() -> Reception:
    """Return the reception of two announced files."""
    files = tuple(
        AnnouncedFile(role, len(content), hashlib.sha256(content).hexdigest())
        for role, content in (("images", IMAGES), ("labels", LABELS))
    )
    return Reception(Announcement(DatasetName("p", "d"), FileFormat.IDX, files))


def accept(reception: Reception, *chunks: tuple[str, bytes]) -> None:
    """Hand chunks to a reception."""
    for role, data in chunks:
        reception.accept(Chunk(role, data))


def test_whole_upload_is_accepted(reception: Reception) -> None:
    """Files in order, in pieces of any size, are complete at the end."""
    accept(reception, ("images", IMAGES[:3]), ("images", IMAGES[3:]), ("labels", LABELS))

    assert reception.finish() is None


@pytest.mark.parametrize(
    ("chunks", "expected", "actual"),
    [
        ([("labels", LABELS)], "a chunk of images", "a chunk of labels"),
        ([("images", b"01"), ("labels", LABELS)], "a chunk of images", "a chunk of labels"),
        ([("images", IMAGES), ("images", b"0")], "a chunk of labels", "a chunk of images"),
        ([("images", IMAGES + b"x")], "10 more bytes of images", "11 bytes"),
        (
            [("images", IMAGES), ("labels", LABELS), ("labels", b"d")],
            "the end of the stream",
            "a chunk of labels",
        ),
    ],
)
def test_wrong_chunk_breaks_the_protocol(
    reception: Reception, chunks: list[tuple[str, bytes]], expected: str, actual: str
) -> None:
    """Wrong order, and more bytes than announced, are refused with what was expected."""
    with pytest.raises(InvalidArgument) as caught:
        accept(reception, *chunks)

    assert "STREAM_PROTOCOL" == caught.value.reason
    assert {"expected": expected, "actual": actual} == caught.value.metadata


def test_checksum_is_verified_with_the_last_byte(reception: Reception) -> None:
    """A file of the right length with another content is refused at its end."""
    accept(reception, ("images", IMAGES[:-1]))

    with pytest.raises(InvalidArgument) as caught:
        accept(reception, ("images", b"x"))

    assert "CHECKSUM_MISMATCH" == caught.value.reason
    assert hashlib.sha256(IMAGES).hexdigest() == caught.value.metadata["expected"]
    assert hashlib.sha256(IMAGES[:-1] + b"x").hexdigest() == caught.value.metadata["actual"]


@pytest.mark.parametrize(
    ("chunks", "where"),
    [
        ([], {"file": "images", "expected": "10", "actual": "0"}),
        ([("images", b"0123")], {"file": "images", "expected": "10", "actual": "4"}),
        ([("images", IMAGES)], {"file": "labels", "expected": "3", "actual": "0"}),
    ],
)
def test_early_end_is_truncation(
    reception: Reception, chunks: list[tuple[str, bytes]], where: dict[str, str]
) -> None:
    """A stream that ends before the last byte says which file misses how much."""
    accept(reception, *chunks)

    with pytest.raises(InvalidArgument) as caught:
        reception.finish()

    assert "UPLOAD_TRUNCATED" == caught.value.reason
    assert where == caught.value.metadata
