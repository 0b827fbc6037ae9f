"""Bytes of data sets, and of uploads under way, count and have their limits."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mesh.quotas import Quota, QuotaExceeded
from shiori.domain.announcement import Announcement
from shiori.domain.dataset import DatasetName
from shiori.domain.reception import Chunk
from tests.unit.shiori.archive import ALICE, Archive
from tests.unit.shiori.domain.test_uploads import CONTENT, NAME, announce, stream

FLOWERS = "projects/flowers"


def used(archive: Archive) -> tuple[int, int]:
    """Return how many bytes the project and alice have."""
    counts = archive.counts
    return (
        counts.used(FLOWERS, Quota.DATASET_BYTES),
        counts.used("users/alice", Quota.DATASET_BYTES),
    )


def limit(archive: Archive, size: int, subject: str = FLOWERS) -> None:
    """Let somebody have so many bytes."""
    archive.counts.book.change({subject: {Quota.DATASET_BYTES: size}})


async def test_table_counts_until_it_is_deleted(archive: Archive) -> None:
    """What an upload has become counts, and nothing when it is gone."""
    dataset = await archive.uploads.receive(ALICE, stream(announce(), Chunk("data", CONTENT)))
    after_upload = used(archive)

    await archive.datasets.delete(ALICE, NAME, etag="")

    assert (dataset.size_bytes, dataset.size_bytes) == after_upload
    assert (0, 0) == used(archive)


@pytest.mark.parametrize("subject", [FLOWERS, "users/alice"])
async def test_upload_beyond_the_quota_is_refused_before_its_bytes(
    archive: Archive, subject: str
) -> None:
    """The announcement alone is enough to say no; nothing is staged or counted."""
    limit(archive, len(CONTENT) - 1, subject)
    messages = stream(announce(), Chunk("data", CONTENT))

    with pytest.raises(QuotaExceeded) as caught:
        await archive.uploads.receive(ALICE, messages)

    assert (subject, "dataset_bytes") == (
        caught.value.metadata["resource"],
        caught.value.metadata["quota"],
    )
    assert Chunk("data", CONTENT) == await anext(messages)
    assert ([], (0, 0)) == (archive.staged(), used(archive))


async def test_table_beyond_the_quota_is_refused(archive: Archive) -> None:
    """A table can be larger than its file; then nothing is kept of it."""
    limit(archive, len(CONTENT))

    with pytest.raises(QuotaExceeded):
        await archive.uploads.receive(ALICE, stream(announce(), Chunk("data", CONTENT)))

    assert ({}, (0, 0)) == (archive.tables.tables, used(archive))


async def test_uploads_at_once_do_not_go_beyond_together(archive: Archive) -> None:
    """Two that would fit one by one: the announced bytes of the first are taken already."""
    limit(archive, 2 * len(CONTENT) - 1)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[Announcement | Chunk]:
        yield announce()
        begun.set()
        await go_on.wait()

    first = asyncio.create_task(archive.uploads.receive(ALICE, slowly()))
    await begun.wait()

    with pytest.raises(QuotaExceeded):
        await archive.uploads.receive(
            ALICE, stream(announce(name=DatasetName("flowers", "other")), Chunk("data", CONTENT))
        )

    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert (0, 0) == used(archive)
