"""`hanami.shiori.v1.DatasetService`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, TypeVar

from google.protobuf.empty_pb2 import Empty
from hanami.shiori.v1 import dataset_service_pb2 as pb
from hanami.shiori.v1 import dataset_service_pb2_grpc

from mesh import names
from mesh.calls import current_caller, current_note
from mesh.masks import check_mask
from mesh.visibility_messages import visibility_of
from shiori import convert
from shiori.domain.announcement import Announcement
from shiori.domain.dataset import Dataset, DatasetName
from shiori.domain.datasets import Datasets
from shiori.domain.reception import Chunk
from shiori.domain.uploads import Uploads

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]

_COLUMNS_AT_ONCE: Final = 500
_T = TypeVar("_T")


class DatasetServicer(dataset_service_pb2_grpc.DatasetServiceServicer):
    """Keeps data sets."""

    def __init__(self, uploads: Uploads, datasets: Datasets) -> None:
        self._uploads = uploads
        self._datasets = datasets

    async def UploadDataset(
        self, request_iterator: AsyncIterable[pb.UploadDatasetRequest], context: "Context"
    ) -> pb.Dataset:
        """Receive a data set."""
        async with aclosing(_noted(convert.upload_messages(request_iterator))) as messages:
            dataset = await self._uploads.receive(current_caller(), messages)
        current_note().row_count = dataset.row_count
        return await _message(dataset)

    async def GetDataset(self, request: pb.GetDatasetRequest, context: "Context") -> pb.Dataset:
        """Return a data set."""
        name = DatasetName.parse(request.name)
        return await _message(await self._datasets.get(current_caller(), name))

    async def ListDatasets(
        self, request: pb.ListDatasetsRequest, context: "Context"
    ) -> pb.ListDatasetsResponse:
        """Return a page of data sets."""
        page = await self._datasets.list(
            current_caller(),
            names.project_id(request.parent, field="parent"),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return await _beside_the_loop(page.items, lambda: convert.page_message(page))

    async def UpdateDataset(
        self, request: pb.UpdateDatasetRequest, context: "Context"
    ) -> pb.Dataset:
        """Change who may know of a data set."""
        check_mask(request.update_mask, ["visibility"])
        dataset = await self._datasets.update(
            current_caller(),
            DatasetName.parse(request.dataset.name, field="dataset.name"),
            visibility=visibility_of(request.dataset.visibility),
            etag=request.dataset.etag,
        )
        return await _message(dataset)

    async def DeleteDataset(self, request: pb.DeleteDatasetRequest, context: "Context") -> Empty:
        """Remove a data set."""
        name = DatasetName.parse(request.name)
        await self._datasets.delete(current_caller(), name, etag=request.etag)
        return Empty()

    async def ReadDataset(
        self, request: pb.ReadDatasetRequest, context: "Context"
    ) -> AsyncIterator[pb.ReadDatasetResponse]:
        """Stream rows."""
        rows = self._datasets.read(current_caller(), convert.read_request(request))
        note = current_note()
        async with aclosing(rows) as batches:
            async for batch in batches:
                note.opened(request.name)
                note.row_count += batch.row_count
                yield convert.batch_message(batch)


async def _message(dataset: Dataset) -> pb.Dataset:
    return await _beside_the_loop([dataset], lambda: convert.dataset_message(dataset))


async def _beside_the_loop(datasets: Sequence[Dataset], converted: Callable[[], _T]) -> _T:
    """Return a message, made in a thread where it is of so many columns that others would wait."""
    if sum(len(dataset.columns) for dataset in datasets) <= _COLUMNS_AT_ONCE:
        return converted()
    return await asyncio.to_thread(converted)


async def _noted(
    messages: AsyncGenerator[Announcement | Chunk, None],
) -> AsyncGenerator[Announcement | Chunk, None]:
    """Yield the messages of an upload, and note what it is about."""
    note = current_note()
    async with aclosing(messages):
        async for message in messages:
            if isinstance(message, Chunk):
                yield message
                continue
            note.resource = str(message.name)
            yield message
            # Who asks for more has nothing against the announcement.
            note.opened(note.resource)
