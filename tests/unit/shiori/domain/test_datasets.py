"""Getting, listing, reading and deleting data sets."""

import hashlib
from collections.abc import AsyncIterator

import numpy as np
import pytest

from mesh.access import Role
from mesh.errors import Aborted, InvalidArgument, NotFound
from shiori.domain.announcement import AnnouncedFile, Announcement
from shiori.domain.dataset import Column, ColumnRole, ColumnType, Dataset, DatasetName, FileFormat
from shiori.domain.datasets import ReadRequest
from shiori.domain.reception import Chunk
from tests.contract.shiori.datasets import dataset
from tests.factories import caller, principal
from tests.unit.shiori.archive import ALICE, Archive

MALLORY = caller(principal("users/mallory", others=Role.PROJECT_ADMIN))
# Enough rows for several batches, so that a reader can be in the middle of them.
ROWS = 40_000
CONTENT = b"a\n" + b"".join(b"%d\n" % row for row in range(ROWS))


async def messages(name: DatasetName) -> AsyncIterator[Announcement | Chunk]:
    """Yield the upload of CONTENT."""
    file = AnnouncedFile("data", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    yield Announcement(name, FileFormat.CSV, (file,))
    yield Chunk("data", CONTENT)


@pytest.fixture
async def numbers(archive: Archive) -> Dataset:
    """Return an uploaded data set of one column that counts its rows."""
    return await archive.uploads.receive(ALICE, messages(DatasetName("flowers", "numbers")))


async def values_of(archive: Archive, request: ReadRequest) -> list[int]:
    """Return all values that a read yields."""
    batches = [batch async for batch in archive.datasets.read(ALICE, request)]
    return [int(v) for batch in batches for v in np.asarray(batch.columns[0].values).ravel()]


async def test_rows_come_in_order(archive: Archive, numbers: Dataset) -> None:
    """A read of everything yields every row once, in order."""
    assert list(range(ROWS)) == await values_of(archive, ReadRequest(numbers.name))


async def test_range_of_rows(archive: Archive, numbers: Dataset) -> None:
    """A read of a range yields its rows only."""
    request = ReadRequest(numbers.name, start_row=9_000, row_limit=1_500)

    assert list(range(9_000, 10_500)) == await values_of(archive, request)


@pytest.mark.parametrize("change", [{"columns": ("b",)}, {"start_row": ROWS}])
async def test_what_is_not_there_cannot_be_read(
    archive: Archive, numbers: Dataset, change: dict[str, object]
) -> None:
    """An unknown column and a row beyond the end are refused."""
    request = ReadRequest(numbers.name, **change)  # type: ignore[arg-type]

    with pytest.raises(InvalidArgument) as caught:
        await values_of(archive, request)

    assert "FIELD_INVALID" == caught.value.reason


async def test_reader_that_has_begun_may_finish(archive: Archive, numbers: Dataset) -> None:
    """A delete hides the data set at once, and removes the table after its last reader."""
    reading = archive.datasets.read(ALICE, ReadRequest(numbers.name))
    first = await anext(reading)

    await archive.datasets.delete(ALICE, numbers.name, etag="")
    tables_meanwhile = list(archive.tables.tables)
    rest = [batch async for batch in reading]

    assert [numbers.sha256] == tables_meanwhile
    assert first.row_count + sum(batch.row_count for batch in rest) == ROWS
    assert {} == archive.tables.tables
    with pytest.raises(NotFound):
        await archive.datasets.get(ALICE, numbers.name)


async def test_reader_that_goes_away_frees_the_table(archive: Archive, numbers: Dataset) -> None:
    """A table that was deleted under a reader goes when the reader does."""
    reading = archive.datasets.read(ALICE, ReadRequest(numbers.name))
    await anext(reading)
    await archive.datasets.delete(ALICE, numbers.name, etag="")

    await reading.aclose()

    assert {} == archive.tables.tables


async def test_shared_table_stays_for_the_other_data_set(
    archive: Archive, numbers: Dataset
) -> None:
    """Deleting one of two equal data sets leaves the other readable."""
    other = await archive.uploads.receive(ALICE, messages(DatasetName("flowers", "other")))

    await archive.datasets.delete(ALICE, numbers.name, etag=numbers.etag)

    assert numbers.sha256 == other.sha256
    assert ROWS == len(await values_of(archive, ReadRequest(other.name)))


async def test_stale_etag_deletes_nothing(archive: Archive, numbers: Dataset) -> None:
    """A delete with an etag that is not the data set's is refused."""
    with pytest.raises(Aborted):
        await archive.datasets.delete(ALICE, numbers.name, etag="stale")

    assert numbers == await archive.datasets.get(ALICE, numbers.name)


async def test_stranger_finds_nothing(archive: Archive, numbers: Dataset) -> None:
    """Whoever has no role in the project cannot tell whether a data set exists."""
    with pytest.raises(NotFound):
        await archive.datasets.get(MALLORY, numbers.name)
    with pytest.raises(NotFound):
        await archive.datasets.list(MALLORY, "flowers", page_size=0, page_token="")
    with pytest.raises(NotFound):
        await archive.datasets.delete(MALLORY, numbers.name, etag="")
    with pytest.raises(NotFound):
        await anext(archive.datasets.read(MALLORY, ReadRequest(numbers.name)))

    assert numbers == await archive.repository.get(numbers.name)


async def test_pages_follow_each_other(archive: Archive) -> None:
    """Pages hold every data set once, in order, and the last has no token."""
    for index in range(5):
        await archive.repository.add(dataset(dataset_id=f"d{index}"))

    found: list[list[str]] = []
    token = ""
    while not found or token:
        page = await archive.datasets.list(ALICE, "flowers", page_size=2, page_token=token)
        found.append([item.name.dataset_id for item in page.items])
        token = page.next_page_token

    assert [["d0", "d1"], ["d2", "d3"], ["d4"]] == found


async def test_page_of_wide_data_sets_ends_early(archive: Archive) -> None:
    """A page holds fewer items than asked for rather than outgrow a message."""
    wide = tuple(Column(f"c{index}", ColumnType.INT64, ColumnRole.INPUT) for index in range(10_000))
    for index in range(8):
        await archive.repository.add(dataset(dataset_id=f"d{index}", columns=wide))

    first = await archive.datasets.list(ALICE, "flowers", page_size=0, page_token="")
    second = await archive.datasets.list(
        ALICE, "flowers", page_size=0, page_token=first.next_page_token
    )

    assert [5, 3] == [len(first.items), len(second.items)]


async def test_tables_without_a_data_set_are_removed(archive: Archive, numbers: Dataset) -> None:
    """What a killed process had stored and not announced goes, and nothing else."""
    archive.tables.tables["e" * 64] = b"orphan"

    removed = await archive.leases.remove_all_unused()

    assert 1 == removed
    assert [numbers.sha256] == list(archive.tables.tables)
