"""Reading, listing and deleting through a real server."""

import uuid
from itertools import pairwise

import grpc
import numpy as np
import pytest
from hanami.shiori.v1 import dataset_service_pb2 as pb

from mesh.tensors import array_of
from tests.integration.shiori.servers import PARENT, RunningShiori, eventually, name_of, reason_of

ROWS = 50_000


@pytest.fixture
async def numbers(shiori: RunningShiori) -> pb.Dataset:
    """Upload a data set of two columns, large enough for many messages."""
    text = "n,half\n" + "".join(f"{row},{row / 2}\n" for row in range(ROWS))
    return await shiori.upload_csv("numbers", text)


@pytest.mark.usefixtures("numbers")
@pytest.mark.parametrize(("start", "limit"), [(0, 0), (1, 1), (8191, 2), (40_000, 20_000)])
async def test_rows_are_those_asked_for(shiori: RunningShiori, start: int, limit: int) -> None:
    """Messages follow each other without gap, and hold the range to the row."""
    answers = await shiori.read("numbers", columns=["half"], start_row=start, row_limit=limit)

    end = min(ROWS, start + limit) if limit else ROWS
    values = np.concatenate([array_of(a.columns[0].tensor, field="half") for a in answers])
    assert np.array_equal(np.arange(start, end).reshape(-1, 1) / 2, values)
    assert start == answers[0].start_row
    assert all(
        before.start_row + before.row_count == after.start_row
        for before, after in pairwise(answers)
    )


@pytest.mark.usefixtures("numbers")
async def test_matrix_is_one_tensor(shiori: RunningShiori) -> None:
    """Columns side by side hold what they hold one by one."""
    answers = await shiori.read("numbers", matrix_columns=2, start_row=ROWS - 3)

    (entry,) = answers[0].columns
    assert "n" == entry.name
    assert [[n, n / 2] for n in range(ROWS - 3, ROWS)] == array_of(entry.tensor, field="n").tolist()


@pytest.mark.usefixtures("numbers")
@pytest.mark.parametrize(
    ("wanted", "field", "allowed"),
    [
        ({"columns": ["n", "third"]}, "columns[1]", "n, half"),
        ({"start_row": ROWS}, "start_row", f"0 to {ROWS - 1}"),
        ({"matrix_columns": 3}, "matrix_columns", "0 to 2"),
    ],
)
async def test_what_is_not_there_is_refused(
    shiori: RunningShiori, wanted: dict[str, object], field: str, allowed: str
) -> None:
    """An unknown column or row is refused with the ones there are."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shiori.read("numbers", **wanted)

    info = reason_of(caught.value)
    assert ("FIELD_INVALID", field, allowed) == (
        info.reason,
        info.metadata["field"],
        info.metadata["allowed"],
    )


@pytest.mark.usefixtures("numbers")
async def test_reader_that_has_begun_may_finish(shiori: RunningShiori) -> None:
    """A data set deleted under a reader is read to its end, and then its table goes."""
    request = pb.ReadDatasetRequest(name=name_of("numbers"))
    reading = shiori.stub.ReadDataset(request, metadata=shiori.alice)
    answers = aiter(reading)
    first = await anext(answers)

    await shiori.stub.DeleteDataset(
        pb.DeleteDatasetRequest(name=name_of("numbers")), metadata=shiori.alice
    )
    rest = [answer.row_count async for answer in answers]

    assert first.row_count + sum(rest) == ROWS
    await eventually(shiori.is_clean)


@pytest.mark.usefixtures("numbers")
async def test_reader_that_cancels_frees_the_table(shiori: RunningShiori) -> None:
    """A table deleted under a reader goes when the reader goes away."""
    request = pb.ReadDatasetRequest(name=name_of("numbers"))
    reading = shiori.stub.ReadDataset(request, metadata=shiori.alice)
    await reading.read()
    await shiori.stub.DeleteDataset(
        pb.DeleteDatasetRequest(name=name_of("numbers")), metadata=shiori.alice
    )

    reading.cancel()

    await eventually(shiori.is_clean)


async def test_delete_with_a_stale_etag_is_aborted(
    shiori: RunningShiori, numbers: pb.Dataset
) -> None:
    """The etag of another data set deletes nothing, the right one does."""
    request = pb.DeleteDatasetRequest(name=numbers.name, etag="0123456789abcdef")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shiori.stub.DeleteDataset(request, metadata=shiori.alice)
    names = await shiori.names()
    request.etag = numbers.etag
    await shiori.stub.DeleteDataset(request, metadata=shiori.alice)

    assert (grpc.StatusCode.ABORTED, "ETAG_MISMATCH") == (
        caught.value.code(),
        reason_of(caught.value).reason,
    )
    assert ([numbers.name], []) == (names, await shiori.names())


async def test_repeated_delete_has_one_effect(shiori: RunningShiori, numbers: pb.Dataset) -> None:
    """The same request again gets the first answer, though the data set is gone."""
    request = pb.DeleteDatasetRequest(name=numbers.name, request_id=str(uuid.uuid4()))

    first = await shiori.stub.DeleteDataset(request, metadata=shiori.alice)
    second = await shiori.stub.DeleteDataset(request, metadata=shiori.alice)

    assert first == second
    assert shiori.is_clean()


async def test_pages_follow_each_other(shiori: RunningShiori) -> None:
    """Listing page by page yields every data set once, in order."""
    for dataset_id in ("cc", "aa", "bb"):
        await shiori.upload_csv(dataset_id, "a,b\n1,2\n")
    request = pb.ListDatasetsRequest(parent=PARENT, page_size=2)

    first = await shiori.stub.ListDatasets(request, metadata=shiori.alice)
    request.page_token = first.next_page_token
    second = await shiori.stub.ListDatasets(request, metadata=shiori.alice)

    names = [[dataset.name for dataset in page.datasets] for page in (first, second)]
    assert [[name_of("aa"), name_of("bb")], [name_of("cc")]] == names
    assert "" == second.next_page_token


async def test_damaged_page_token_is_refused(shiori: RunningShiori) -> None:
    """A page token that did not come from this listing is an error of its own."""
    request = pb.ListDatasetsRequest(parent=PARENT, page_token="nonsense")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shiori.stub.ListDatasets(request, metadata=shiori.alice)

    assert "PAGE_TOKEN_INVALID" == reason_of(caught.value).reason
