"""Data sets: stored tables of rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
from google.protobuf import empty_pb2, field_mask_pb2
from hanami.shiori.v1 import dataset_service_pb2 as pb
from hanami.shiori.v1 import dataset_service_pb2_grpc
from numpy.typing import NDArray

from hanami_sdk.areas.pages import walk_pages
from hanami_sdk.connection import Connection
from hanami_sdk.errors import HanamiError
from hanami_sdk.names import Namespace
from hanami_sdk.quota_warnings import warn_of_quotas
from hanami_sdk.tensors import decode
from hanami_sdk.uploads import UploadPlan, UploadSource, plan_upload, upload_messages
from hanami_sdk.visibility import Visibility, visibility_number

# Called with the bytes sent so far and the bytes to send in all.
UploadProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Rows:
    """A run of rows of a data set.

    Attributes:
        start: number of the first row.
        count: number of rows.
        columns: the values by column name: arrays of shape [rows], or
            [rows, width] for columns that hold several values; text as objects.
    """

    start: int
    count: int
    columns: Mapping[str, NDArray[np.generic]]


class Datasets:
    """Uploads, reads and deletes data sets."""

    def __init__(self, connection: Connection, namespace: Namespace) -> None:
        self._connection = connection
        self._namespace = namespace
        self._stub = dataset_service_pb2_grpc.DatasetServiceStub(connection.channel)

    async def upload_csv(
        self,
        dataset_id: str,
        path: str | Path,
        *,
        project: str | None = None,
        target_column: str = "",
        visibility: Visibility | None = None,
        progress: UploadProgress | None = None,
    ) -> pb.Dataset:
        """Upload a CSV file with a header line.

        Args:
            dataset_id: last part of the data set's name.
            path: the file, in UTF-8.
            project: where to keep it; the client's project by default.
            target_column: the column to learn by default.
            visibility: who may know of it; SHARED by default.
            progress: called after every chunk.

        Raises:
            InvalidArgument: not a CSV file; `metadata` has line and column
                (FILE_MALFORMED).
            AlreadyExists: the id is taken (RESOURCE_EXISTS).
        """
        sources = [UploadSource("data", Path(path))]
        parent = self._namespace.parent(project)
        plan = await asyncio.to_thread(
            plan_upload,
            parent,
            dataset_id,
            pb.FILE_FORMAT_CSV,
            sources,
            target_column=target_column,
            visibility=visibility,
        )
        return await self._upload(plan, progress)

    async def upload_idx(
        self,
        dataset_id: str,
        images: str | Path,
        labels: str | Path,
        *,
        project: str | None = None,
        visibility: Visibility | None = None,
        progress: UploadProgress | None = None,
    ) -> pb.Dataset:
        """Upload a pair of IDX files, pictures and their labels, as MNIST has them.

        Args:
            dataset_id: last part of the data set's name.
            images: unsigned bytes of shape [rows, height, width].
            labels: unsigned bytes of shape [rows].
            project: where to keep it; the client's project by default.
            visibility: who may know of it; SHARED by default.
            progress: called after every chunk.

        Raises:
            InvalidArgument: not such a pair of files (FILE_MALFORMED).
            AlreadyExists: the id is taken (RESOURCE_EXISTS).
        """
        sources = [UploadSource("images", Path(images)), UploadSource("labels", Path(labels))]
        parent = self._namespace.parent(project)
        plan = await asyncio.to_thread(
            plan_upload,
            parent,
            dataset_id,
            pb.FILE_FORMAT_IDX,
            sources,
            visibility=visibility,
        )
        return await self._upload(plan, progress)

    async def get(self, dataset: str) -> pb.Dataset:
        """Return what is known about one data set."""
        request = pb.GetDatasetRequest(name=self._namespace.dataset(dataset))
        return await self._connection.unary(self._stub.GetDataset, request, pb.Dataset)

    def list(self, project: str | None = None) -> AsyncIterator[pb.Dataset]:
        """Iterate over the data sets of a project."""
        return walk_pages(
            self._connection,
            self._stub.ListDatasets,
            pb.ListDatasetsRequest(parent=self._namespace.parent(project), page_size=1000),
            pb.ListDatasetsResponse,
            lambda page: page.datasets,
        )

    async def update(self, dataset: str, *, visibility: Visibility, etag: str = "") -> pb.Dataset:
        """Change who may know of a data set (its owner, project admins).

        Reads of those who may not any more end. With an etag, only if it is still the same.
        """
        request = pb.UpdateDatasetRequest(
            dataset=pb.Dataset(
                name=self._namespace.dataset(dataset),
                visibility=visibility_number(visibility),
                etag=etag,
            ),
            update_mask=field_mask_pb2.FieldMask(paths=["visibility"]),
        )
        return await self._connection.unary(self._stub.UpdateDataset, request, pb.Dataset)

    async def delete(self, dataset: str, *, etag: str = "") -> None:
        """Delete a data set; with an etag, only if it is still the same."""
        request = pb.DeleteDatasetRequest(name=self._namespace.dataset(dataset), etag=etag)
        await self._connection.unary(self._stub.DeleteDataset, request, empty_pb2.Empty)

    async def read(
        self,
        dataset: str,
        *,
        columns: Sequence[str] = (),
        start_row: int = 0,
        row_limit: int = 0,
    ) -> AsyncIterator[Rows]:
        """Yield a data set's rows in order, many at a time.

        A broken connection is taken up again after the last row that came.

        Args:
            dataset: what to read.
            columns: which columns, in the order wanted; all when empty.
            start_row: the first row, from 0.
            row_limit: the most rows; all that follow when 0.
        """
        request = pb.ReadDatasetRequest(
            name=self._namespace.dataset(dataset),
            columns=columns,
            start_row=start_row,
            row_limit=row_limit,
        )
        failures = 0
        while True:
            try:
                async for part in self._connection.server_stream(
                    self._stub.ReadDataset, request, pb.ReadDatasetResponse
                ):
                    failures = 0
                    yield _decode_rows(part)
                    request.start_row = part.start_row + part.row_count
                    if row_limit:
                        request.row_limit = start_row + row_limit - request.start_row
                        if request.row_limit <= 0:
                            return
            except HanamiError as error:
                failures += 1
                delay = self._connection.options.retries.delay(failures, error)
                if delay is None:
                    raise
                await asyncio.sleep(delay)
            else:
                return

    async def _upload(self, plan: UploadPlan, progress: UploadProgress | None) -> pb.Dataset:
        metadata = await self._connection.call_metadata(plan.most_seconds)
        call = self._stub.UploadDataset(metadata=metadata)
        messages = upload_messages(plan)
        try:
            with self._connection.translated():
                while (step := await asyncio.to_thread(next, messages, None)) is not None:
                    message, sent = step
                    try:
                        await call.write(message)
                    except (grpc.RpcError, asyncio.InvalidStateError):
                        break  # The server has ended the call; its answer says why.
                    if progress is not None and sent:
                        progress(sent, plan.total_bytes)
                else:
                    await call.done_writing()
                dataset: pb.Dataset = await call
            await warn_of_quotas(call)
            return dataset
        finally:
            messages.close()
            call.cancel()


def _decode_rows(part: pb.ReadDatasetResponse) -> Rows:
    columns: dict[str, NDArray[np.generic]] = {}
    for column in part.columns:
        if column.WhichOneof("values") == "text":
            columns[column.name] = np.array(list(column.text.values), dtype=np.object_)
        else:
            values = decode(column.tensor)
            is_single = values.ndim == 2 and values.shape[1] == 1
            columns[column.name] = values[:, 0] if is_single else values
    return Rows(part.start_row, part.row_count, columns)
