"""Starts shiori and speaks to it as its clients do."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hanami.shiori.v1 import dataset_service_pb2 as pb
from hanami.shiori.v1 import dataset_service_pb2_grpc

from mesh import status
from mesh.server import RunningServer, serving
from shiori.app import build
from shiori.settings import ShioriSettings
from tests.integration.meshes import Metadata, RunningMisaki

PARENT = "projects/flowers"


@dataclass(frozen=True)
class RunningShiori:
    """A real shiori; `alice` is the metadata of a member of `projects/flowers`."""

    stub: "dataset_service_pb2_grpc.DatasetServiceAsyncStub"
    channel: grpc.aio.Channel
    running: RunningServer
    folder: Path
    alice: Metadata

    async def upload(
        self, dataset_id: str, files: Mapping[str, bytes], **changes: Any
    ) -> pb.Dataset:
        """Upload files as alice; changes are fields of the opening message."""
        return await self.stub.UploadDataset(
            messages_of(dataset_id, files, **changes), metadata=self.alice
        )

    async def upload_csv(self, dataset_id: str, text: str, **changes: Any) -> pb.Dataset:
        """Upload a CSV file as alice."""
        return await self.upload(dataset_id, {"data": text.encode()}, **changes)

    async def read(self, dataset_id: str, **wanted: Any) -> list[pb.ReadDatasetResponse]:
        """Read rows as alice."""
        request = pb.ReadDatasetRequest(name=name_of(dataset_id), **wanted)
        return [answer async for answer in self.stub.ReadDataset(request, metadata=self.alice)]

    async def names(self) -> list[str]:
        """Return the names of all data sets of the project."""
        request = pb.ListDatasetsRequest(parent=PARENT, page_size=1000)
        answer = await self.stub.ListDatasets(request, metadata=self.alice)
        return [dataset.name for dataset in answer.datasets]

    def staged(self) -> list[Path]:
        """Return what lies in the folder of unfinished uploads."""
        return list((self.folder / "uploads").iterdir())

    def tables(self) -> list[str]:
        """Return the names of the stored tables' files."""
        tables = self.folder / "blobs" / "tables"
        return sorted(path.name for path in tables.iterdir()) if tables.exists() else []

    def is_clean(self) -> bool:
        """Tell whether neither a staged file nor a table is there."""
        return not self.staged() and not self.tables()


def name_of(dataset_id: str) -> str:
    """Return the name of a data set of the project."""
    return f"{PARENT}/datasets/{dataset_id}"


def opening(
    dataset_id: str, files: Mapping[str, bytes], /, **changes: Any
) -> pb.UploadDatasetRequest:
    """Return the first message of an upload that announces these files truthfully."""
    is_csv = "data" in files
    values: dict[str, Any] = {
        "parent": PARENT,
        "dataset_id": dataset_id,
        "format": pb.FILE_FORMAT_CSV if is_csv else pb.FILE_FORMAT_IDX,
        "files": [
            pb.UploadFile(
                role=role,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
            )
            for role, content in files.items()
        ],
    }
    return pb.UploadDatasetRequest(open=pb.UploadOpen(**(values | changes)))


def chunk(role: str, data: bytes) -> pb.UploadDatasetRequest:
    """Return a message with bytes of a file."""
    return pb.UploadDatasetRequest(chunk=pb.UploadChunk(role=role, data=data))


async def messages_of(
    dataset_id: str, files: Mapping[str, bytes], *, chunk_bytes: int = 2**20, **changes: Any
) -> AsyncIterator[pb.UploadDatasetRequest]:
    """Yield the messages of a whole upload."""
    yield opening(dataset_id, files, **changes)
    for role, content in files.items():
        for start in range(0, len(content), chunk_bytes):
            yield chunk(role, content[start : start + chunk_bytes])


def reason_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """Return the machine-readable reason of a failed call."""
    rich = rpc_status.from_call(error)
    assert rich is not None
    return status.error_info(rich)


async def unending(*messages: pb.UploadDatasetRequest) -> AsyncIterator[pb.UploadDatasetRequest]:
    """Send messages and never close the stream."""
    for message in messages:
        yield message
    await asyncio.Event().wait()


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until something holds; the test's own time limit is the end of patience."""
    while not condition():  # noqa: ASYNC110  # nobody sets an event when a file appears or goes
        await asyncio.sleep(0.01)


@asynccontextmanager
async def start_shiori(
    misaki: RunningMisaki, folder: Path, alice: Metadata, **changes: Any
) -> AsyncIterator[RunningShiori]:
    """Run a real shiori with its files in a folder."""
    values: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "data_directory": folder,
        "misaki_address": misaki.address,
        "drain_seconds": 1.0,
    }
    settings = ShioriSettings(**(values | changes))
    async with (
        build(settings) as application,
        serving(settings, application) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield RunningShiori(
            stub=dataset_service_pb2_grpc.DatasetServiceStub(channel),
            channel=channel,
            running=running,
            folder=folder,
            alice=alice,
        )
