"""Data sets of shiori: described with the caller's token, read for whoever made a task."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hanami.shiori.v1 import dataset_service_pb2 as pb
from hanami.shiori.v1 import dataset_service_pb2_grpc

from kyouko.convert.datasets import description_of, read_request, row_range_of
from kyouko.domain.tasks.result import NewDataset
from kyouko.ports import DatasetDescription, DatasetSource, RowRange
from mesh.clients import ServiceTokens, call_metadata, translated_errors, unavailable
from mesh.errors import NotFound
from mesh.visibility_messages import visibility_number

_SHIORI: Final = "shiori"
_OURSELVES: Final = "services/kyouko"
_TIMEOUT_SECONDS: Final = 10.0
_CHUNK_BYTES: Final = 256 * 1024
# More of them would hold up the loop.
_COLUMNS_AT_ONCE: Final = 500


class ShioriDatasets:
    """The stored data sets of the mesh."""

    def __init__(self, channel: grpc.aio.Channel, tokens: ServiceTokens) -> None:
        self._stub = dataset_service_pb2_grpc.DatasetServiceStub(channel)
        self._health = health_pb2_grpc.HealthStub(channel)
        self._tokens = tokens

    async def check(self) -> None:
        """Raise an error when shiori does not serve."""
        answer = await self._health.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_SECONDS)
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise unavailable(_SHIORI)

    async def describe(self, name: str, *, token: str = "") -> DatasetDescription:
        """Return a data set on behalf of the caller whose token it is, or as this service."""
        token = token or await self._tokens.token()
        async with translated_errors(_SHIORI):
            answer = await self._stub.GetDataset(
                pb.GetDatasetRequest(name=name),
                metadata=call_metadata(token),
                timeout=_TIMEOUT_SECONDS,
            )
        if len(answer.columns) > _COLUMNS_AT_ONCE:
            return await asyncio.to_thread(description_of, answer)
        return description_of(answer)

    async def read(
        self, source: DatasetSource, columns: Sequence[str], start_row: int, *, together: int
    ) -> AsyncGenerator[RowRange, None]:
        """Yield the rows of some columns from a row on; the first ones come in one array."""
        request = read_request(source, columns, start_row, together=together)
        metadata = call_metadata(await self._tokens.token())
        call = self._stub.ReadDataset(request, metadata=metadata)
        try:
            async with translated_errors(_SHIORI):
                async for message in call:
                    yield row_range_of(message)
        finally:
            call.cancel()

    async def is_ours(self, project_id: str, dataset_id: str) -> bool:
        """Tell whether a data set is there that this service stored."""
        request = pb.GetDatasetRequest(name=f"projects/{project_id}/datasets/{dataset_id}")
        metadata = call_metadata(await self._tokens.token())
        try:
            async with translated_errors(_SHIORI):
                answer = await self._stub.GetDataset(
                    request, metadata=metadata, timeout=_TIMEOUT_SECONDS
                )
        except NotFound:
            return False
        return answer.creator == _OURSELVES

    async def upload_csv(self, new: NewDataset, path: Path) -> None:
        """Store a CSV file as a data set."""
        size, digest = await asyncio.to_thread(_measure, path)
        opening = pb.UploadOpen(
            parent=f"projects/{new.project_id}",
            dataset_id=new.dataset_id,
            format=pb.FILE_FORMAT_CSV,
            files=[pb.UploadFile(role="data", size_bytes=size, sha256=digest)],
            visibility=visibility_number(new.visibility),
            owner=pb.UploadOwner(name=new.owner, since_microseconds=new.owner_since),
        )
        metadata = call_metadata(await self._tokens.token())
        async with translated_errors(_SHIORI):
            await self._stub.UploadDataset(_upload(opening, path), metadata=metadata)


def _measure(path: Path) -> tuple[int, str]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return path.stat().st_size, digest


async def _upload(opening: pb.UploadOpen, path: Path) -> AsyncIterator[pb.UploadDatasetRequest]:
    yield pb.UploadDatasetRequest(open=opening)
    with path.open("rb") as stream:
        while data := await asyncio.to_thread(stream.read, _CHUNK_BYTES):
            yield pb.UploadDatasetRequest(chunk=pb.UploadChunk(role="data", data=data))
