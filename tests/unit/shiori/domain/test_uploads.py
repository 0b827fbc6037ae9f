"""Uploads that succeed, and uploads that leave nothing behind."""

import asyncio
import errno
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

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
from shiori.storage.staging import FolderUpload, UploadFolders
from tests.factories import NOON, caller, principal
from tests.unit.shiori.archive import ALICE, Archive, open_archive

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


async def test_uploads_that_do_not_fit_together_are_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is refused before its bytes come; the first goes on undisturbed."""
    monkeypatch.setattr(UploadFolders, "free_bytes", lambda _: len(CONTENT) + 5)
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[Announcement | Chunk]:
        yield announce()
        await go_on.wait()
        yield Chunk("data", CONTENT)

    later = stream(announce(name=DatasetName("flowers", "later")), Chunk("data", CONTENT))
    with open_archive(tmp_path) as archive:
        first = asyncio.create_task(archive.uploads.receive(ALICE, slow()))
        await eventually_staged(archive)
        with pytest.raises(ResourceExhausted) as caught:
            await archive.uploads.receive(ALICE, later)
        go_on.set()
        stored = await first

    assert {"limit": "5", "actual": str(len(CONTENT))} == caught.value.metadata
    assert Chunk("data", CONTENT) == await anext(later)
    assert NAME == stored.name


@pytest.mark.parametrize("method", ["append", "close"])
async def test_disk_that_fills_on_the_way_is_a_limit(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """A full disk is told as such, and leaves nothing behind."""
    working = getattr(FolderUpload, method)

    def fail(*arguments: object) -> None:
        working(*arguments)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(FolderUpload, method, fail)
        with pytest.raises(ResourceExhausted) as caught:
            await archive.uploads.receive(ALICE, stream(announce(), Chunk("data", CONTENT)))

    assert "LIMIT_REACHED" == caught.value.reason
    assert ({}, []) == (archive.tables.tables, archive.staged())


async def test_table_that_does_not_fit_is_a_limit(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is full is told as a full disk is."""

    async def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archive.tables, "put", fail)
    with pytest.raises(ResourceExhausted):
        await archive.uploads.receive(ALICE, stream(announce(), Chunk("data", CONTENT)))

    assert (None, []) == (await archive.repository.get(NAME), archive.staged())


async def test_user_has_so_many_uploads_at_once(tmp_path: Path) -> None:
    """One upload more than allowed is refused; when one has ended the next may begin."""
    bob = caller(principal("users/bob", flowers=Role.MEMBER))

    async def silent() -> AsyncIterator[Announcement | Chunk]:
        yield announce(name=DatasetName("flowers", "silent"))
        await asyncio.Event().wait()

    with open_archive(tmp_path, per_user=1) as archive:
        waiting = asyncio.create_task(archive.uploads.receive(ALICE, silent()))
        await eventually_staged(archive)
        with pytest.raises(ResourceExhausted) as caught:
            await archive.uploads.receive(ALICE, stream(announce()))
        of_bob = await archive.uploads.receive(bob, stream(announce(), Chunk("data", CONTENT)))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        again = await archive.uploads.receive(
            ALICE,
            stream(announce(name=DatasetName("flowers", "again")), Chunk("data", CONTENT)),
        )

    assert ("LIMIT_REACHED", {"limit": "1"}) == (caught.value.reason, caught.value.metadata)
    assert ("users/bob", "users/alice") == (of_bob.creator, again.creator)


async def eventually_staged(archive: Archive) -> None:
    """Wait until an upload has its folder."""
    while not archive.staged():  # noqa: ASYNC110  # nobody sets an event when a folder appears
        await asyncio.sleep(0)


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
