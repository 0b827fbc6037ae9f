"""Uploads that succeed, and uploads that leave nothing behind."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from mesh.access import Role
from mesh.errors import (
    AlreadyExists,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
)
from shiori.domain.announcement import AnnouncedFile, Announcement
from shiori.domain.dataset import DatasetName, FileFormat
from shiori.domain.reception import Chunk
from tests.factories import NOON, caller, principal
from tests.unit.shiori.archive import ALICE, Archive

NAME = DatasetName("flowers", "iris")
CONTENT = b"a,b\n1,2\n3,4\n"


def announce(content: bytes = CONTENT, name: DatasetName = NAME) -> Announcement:
    """Return the announcement of a CSV file."""
    file = AnnouncedFile("data", len(content), hashlib.sha256(content).hexdigest())
    return Announcement(name, FileFormat.CSV, (file,))


async def stream(*messages: Announcement | Chunk) -> AsyncIterator[Announcement | Chunk]:
    """Yield messages as a client sends them."""
    for message in messages:
        yield message


async def test_upload_becomes_a_data_set(archive: Archive) -> None:
    """What was uploaded is there under its name, with its table, and no staged file."""
    dataset = await archive.uploads.receive(ALICE, stream(announce(), Chunk("data", CONTENT)))

    assert dataset == await archive.repository.get(NAME)
    assert ("users/alice", NOON, 2) == (dataset.creator, dataset.create_time, dataset.row_count)
    assert [dataset.sha256] == list(archive.tables.tables)
    assert [] == archive.staged()


async def test_equal_uploads_share_a_table(archive: Archive) -> None:
    """The same bytes under another name are stored once."""
    other = DatasetName("flowers", "again")

    await archive.uploads.receive(ALICE, stream(announce(), Chunk("data", CONTENT)))
    await archive.uploads.receive(ALICE, stream(announce(name=other), Chunk("data", CONTENT)))

    assert 1 == len(archive.tables.tables)


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "STREAM_PROTOCOL"),
        ([Chunk("data", CONTENT)], "STREAM_PROTOCOL"),
        ([announce(), announce()], "STREAM_PROTOCOL"),
        ([announce(), Chunk("data", CONTENT), announce()], "STREAM_PROTOCOL"),
        ([announce(), Chunk("data", CONTENT), Chunk("data", b"x")], "STREAM_PROTOCOL"),
        ([announce(), Chunk("labels", CONTENT)], "STREAM_PROTOCOL"),
        ([announce()], "UPLOAD_TRUNCATED"),
        ([announce(), Chunk("data", CONTENT[:-1])], "UPLOAD_TRUNCATED"),
        ([announce(), Chunk("data", CONTENT[::-1])], "CHECKSUM_MISMATCH"),
        ([announce(b"a,b\n1\n"), Chunk("data", b"a,b\n1\n")], "FILE_MALFORMED"),
    ],
)
async def test_failed_upload_leaves_nothing(
    archive: Archive, messages: list[Announcement | Chunk], reason: str
) -> None:
    """Whatever breaks an upload off, no entry, no table and no staged file remains."""
    with pytest.raises(InvalidArgument) as caught:
        await archive.uploads.receive(ALICE, stream(*messages))

    assert reason == caught.value.reason
    assert (None, {}, []) == (
        await archive.repository.get(NAME),
        archive.tables.tables,
        archive.staged(),
    )


async def test_taken_name_is_refused_before_the_bytes(archive: Archive) -> None:
    """A duplicate is refused after its announcement, and the first data set stays."""
    first = await archive.uploads.receive(ALICE, stream(announce(), Chunk("data", CONTENT)))
    later = stream(announce(), Chunk("data", CONTENT))

    with pytest.raises(AlreadyExists):
        await archive.uploads.receive(ALICE, later)

    assert Chunk("data", CONTENT) == await anext(later)
    assert first == await archive.repository.get(NAME)


async def test_name_taken_meanwhile_costs_only_the_later_upload(archive: Archive) -> None:
    """Of two uploads of one name at once one wins, and its table survives the other's end."""
    contents = [b"a,b\n1,2\n", b"a,b\n5,6\n"]

    outcomes = await asyncio.gather(
        *(
            archive.uploads.receive(ALICE, stream(announce(content), Chunk("data", content)))
            for content in contents
        ),
        return_exceptions=True,
    )

    stored = await archive.repository.get(NAME)
    assert stored is not None
    assert 1 == sum(isinstance(outcome, AlreadyExists) for outcome in outcomes)
    assert [stored.sha256] == list(archive.tables.tables)


async def test_too_large_upload_is_refused_before_the_bytes(archive: Archive) -> None:
    """A gigabyte is refused by its announcement, with nothing written."""
    file = AnnouncedFile("data", 2**30, "0" * 64)
    messages = stream(Announcement(NAME, FileFormat.CSV, (file,)), Chunk("data", CONTENT))

    with pytest.raises(ResourceExhausted):
        await archive.uploads.receive(ALICE, messages)

    assert Chunk("data", CONTENT) == await anext(messages)
    assert [] == archive.staged()


async def test_stranger_learns_nothing_of_the_project(archive: Archive) -> None:
    """Somebody without a role in the project is told that it is not found."""
    mallory = caller(principal("users/mallory", others=Role.PROJECT_ADMIN))

    with pytest.raises(NotFound):
        await archive.uploads.receive(mallory, stream(announce(), Chunk("data", CONTENT)))

    assert [] == archive.staged()


async def test_viewer_may_not_upload(archive: Archive) -> None:
    """A role that the method's rule does not name is refused as such."""
    viewer = caller(
        principal("users/victor", flowers=Role.VIEWER), roles=frozenset({Role.MEMBER, Role.ADMIN})
    )

    with pytest.raises(PermissionDenied):
        await archive.uploads.receive(viewer, stream(announce(), Chunk("data", CONTENT)))


async def test_cancelled_upload_leaves_nothing(archive: Archive) -> None:
    """A client that goes away in the middle leaves no staged file."""
    half_sent = asyncio.Event()

    async def endless() -> AsyncIterator[Announcement | Chunk]:
        yield announce()
        yield Chunk("data", CONTENT[:5])
        half_sent.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(archive.uploads.receive(ALICE, endless()))
    await half_sent.wait()
    staged_before = archive.staged()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert 1 == len(staged_before)
    assert [] == archive.staged()


async def test_silent_client_is_given_up(archive: Archive) -> None:
    """An upload in which nothing comes for long ends with an error, and leaves nothing."""

    async def silent() -> AsyncIterator[Announcement | Chunk]:
        yield announce()
        await asyncio.Event().wait()

    with pytest.raises(DeadlineExceeded):
        await archive.uploads.receive(ALICE, silent())

    assert [] == archive.staged()


async def test_equal_uploads_and_deletes_at_once_keep_their_tables(archive: Archive) -> None:
    """However uploads and deletes of equal data interleave, every data set has its table."""
    names = [DatasetName("flowers", f"d{index}") for index in range(12)]

    async def churn(name: DatasetName) -> None:
        for _ in range(3):
            await archive.uploads.receive(
                ALICE, stream(announce(name=name), Chunk("data", CONTENT))
            )
            await archive.datasets.delete(ALICE, name, etag="")

    await asyncio.gather(*(churn(name) for name in names))
    empty = dict(archive.tables.tables)
    await asyncio.gather(
        archive.uploads.receive(ALICE, stream(announce(), Chunk("data", CONTENT))),
        *(churn(name) for name in names),
    )

    stored = await archive.repository.get(NAME)
    assert stored is not None
    assert {} == empty
    assert [stored.sha256] == list(archive.tables.tables)
