"""Between the messages of the contract and the objects of the domain."""

from collections.abc import AsyncGenerator, AsyncIterable

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp
from hanami.shiori.v1 import dataset_service_pb2 as pb

from mesh import names, tensors, validation
from mesh.access import Principal
from mesh.access_messages import roles_of
from mesh.errors import InvalidArgument
from mesh.pages import Page
from mesh.visibility_messages import visibility_number, visibility_of
from shiori.domain.announcement import AnnouncedFile, Announcement
from shiori.domain.dataset import Column, Dataset, DatasetName, FileFormat
from shiori.domain.datasets import ReadRequest
from shiori.domain.reception import Chunk
from shiori.domain.rows import ColumnValues, RowBatch

MAX_CHUNK_BYTES = 2**20


async def upload_messages(
    messages: AsyncIterable[pb.UploadDatasetRequest],
) -> AsyncGenerator[Announcement | Chunk, None]:
    """Yield what an upload's messages mean, each checked by itself.

    Raises:
        InvalidArgument: FIELD_INVALID.
    """
    async for message in messages:
        if message.WhichOneof("message") == "chunk":
            yield _chunk(message.chunk)
        else:
            validation.check(message)
            yield _announcement(message.open)


def read_request(request: pb.ReadDatasetRequest) -> ReadRequest:
    """Return what a client wants to read."""
    return ReadRequest(
        name=DatasetName.parse(request.name),
        columns=tuple(request.columns),
        start_row=request.start_row,
        row_limit=request.row_limit,
        matrix_columns=request.matrix_columns,
        etag=request.etag,
        reader=_reader(request) if request.HasField("reader") else None,
    )


def _reader(request: pb.ReadDatasetRequest) -> Principal:
    reader = request.reader
    project_id = DatasetName.parse(request.name).project_id
    return Principal(
        reader.name,
        admin=reader.admin,
        project_roles=dict.fromkeys([project_id], *roles_of([reader.role])) if reader.role else {},
        since=reader.since_microseconds,
    )


def dataset_message(dataset: Dataset) -> pb.Dataset:
    """Return a data set as a message."""
    create_time = Timestamp()
    create_time.FromDatetime(dataset.create_time)
    return pb.Dataset(
        name=str(dataset.name),
        format=pb.FileFormat.Value(f"FILE_FORMAT_{dataset.format}"),
        columns=[_column_message(column) for column in dataset.columns],
        row_count=dataset.row_count,
        size_bytes=dataset.size_bytes,
        sha256=dataset.sha256,
        create_time=create_time,
        creator=dataset.creator,
        etag=dataset.etag,
        owner=dataset.owner,
        visibility=visibility_number(dataset.visibility),
    )


def page_message(page: Page[Dataset]) -> pb.ListDatasetsResponse:
    """Return a page of data sets as a message."""
    return pb.ListDatasetsResponse(
        datasets=[dataset_message(dataset) for dataset in page.items],
        next_page_token=page.next_page_token,
    )


def batch_message(batch: RowBatch) -> pb.ReadDatasetResponse:
    """Return rows as a message."""
    return pb.ReadDatasetResponse(
        start_row=batch.start_row,
        row_count=batch.row_count,
        columns=[_values_message(column) for column in batch.columns],
    )


def _chunk(chunk: pb.UploadChunk) -> Chunk:
    # By hand: these two rules, for each of many thousand chunks.
    if not 0 < len(chunk.data) <= MAX_CHUNK_BYTES:
        raise InvalidArgument.for_field(
            "chunk.data",
            f"it has {len(chunk.data)} bytes, but a chunk has 1 to {MAX_CHUNK_BYTES}",
            metadata={"limit": str(MAX_CHUNK_BYTES), "actual": str(len(chunk.data))},
        )
    return Chunk(chunk.role, chunk.data)


def _announcement(message: pb.UploadOpen) -> Announcement:
    return Announcement(
        name=DatasetName(names.project_id(message.parent, field="open.parent"), message.dataset_id),
        format=FileFormat(pb.FileFormat.Name(message.format).removeprefix("FILE_FORMAT_")),
        files=tuple(
            AnnouncedFile(file.role, file.size_bytes, file.sha256) for file in message.files
        ),
        target_column=message.target_column,
        visibility=visibility_of(message.visibility),
        owner=(
            (message.owner.name, message.owner.since_microseconds)
            if message.HasField("owner")
            else None
        ),
    )


def _column_message(column: Column) -> pb.Column:
    return pb.Column(
        name=column.name,
        type=pb.ColumnType.Value(f"COLUMN_TYPE_{column.type}"),
        role=pb.ColumnRole.Value(f"COLUMN_ROLE_{column.role}"),
        width=column.width,
        missing_count=column.missing_count,
    )


def _values_message(column: ColumnValues) -> pb.ColumnValues:
    if isinstance(column.values, np.ndarray):
        return pb.ColumnValues(name=column.name, tensor=tensors.tensor_of(column.values))
    return pb.ColumnValues(name=column.name, text=pb.TextValues(values=column.values))
