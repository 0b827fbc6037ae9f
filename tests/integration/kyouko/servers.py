"""Starts kyouko beside real neighbours and speaks to it as its clients do."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from hanami.kyouko.v1 import (
    learning_service_pb2,
    learning_service_pb2_grpc,
    network_service_pb2,
    network_service_pb2_grpc,
    task_service_pb2,
    task_service_pb2_grpc,
    template_service_pb2_grpc,
)
from hanami.shiori.v1 import dataset_service_pb2

from kyouko.app import build
from kyouko.settings import KyoukoSettings
from mesh import status
from mesh.server import RunningServer, serving
from mesh.tensors import tensor_of
from tests.integration.meshes import Metadata, RunningMisaki
from tests.integration.shiori.servers import RunningShiori

PARENT = "projects/flowers"
NETWORK = f"{PARENT}/networks/net"
ENDED = (
    task_service_pb2.TASK_STATE_SUCCEEDED,
    task_service_pb2.TASK_STATE_FAILED,
    task_service_pb2.TASK_STATE_CANCELLED,
)
Request = learning_service_pb2.LearnRequest
Response = learning_service_pb2.LearnResponse
Task = task_service_pb2.Task


@dataclass(frozen=True)
class RunningKyouko:
    """A real kyouko; `alice` is the metadata of a member of `projects/flowers`."""

    channel: grpc.aio.Channel
    running: RunningServer
    folder: Path
    alice: Metadata

    @property
    def templates(self) -> "template_service_pb2_grpc.TemplateServiceAsyncStub":
        """The stub of TemplateService."""
        return template_service_pb2_grpc.TemplateServiceStub(self.channel)

    @property
    def networks(self) -> "network_service_pb2_grpc.NetworkServiceAsyncStub":
        """The stub of NetworkService."""
        return network_service_pb2_grpc.NetworkServiceStub(self.channel)

    @property
    def tasks(self) -> "task_service_pb2_grpc.TaskServiceAsyncStub":
        """The stub of TaskService."""
        return task_service_pb2_grpc.TaskServiceStub(self.channel)

    @property
    def learning(self) -> "learning_service_pb2_grpc.LearningServiceAsyncStub":
        """The stub of LearningService."""
        return learning_service_pb2_grpc.LearningServiceStub(self.channel)

    async def create_network(
        self, network_id: str = "net", *, metadata: Metadata | None = None, **fields: Any
    ) -> network_service_pb2.Network:
        """Create a network of four channels that tells classes apart, unless told otherwise."""
        values: dict[str, Any] = {"template": "templates/flat"}
        if not {"template_yaml", "structure"} & fields.keys():
            values["channels"] = 4
        else:
            del values["template"]
        request = network_service_pb2.CreateNetworkRequest(
            parent=PARENT, network_id=network_id, **(values | fields)
        )
        return await self.networks.CreateNetwork(request, metadata=metadata or self.alice)

    async def network(self, network_id: str = "net") -> network_service_pb2.Network:
        """Return a network as alice sees it."""
        request = network_service_pb2.GetNetworkRequest(name=f"{PARENT}/networks/{network_id}")
        return await self.networks.GetNetwork(request, metadata=self.alice)

    async def create_task(
        self, dataset_id: str, *, network_id: str = "net", learn: bool = True, **fields: Any
    ) -> Task:
        """Queue a task as alice."""
        kind = task_service_pb2.TASK_KIND_LEARN if learn else task_service_pb2.TASK_KIND_PREDICT
        request = task_service_pb2.CreateTaskRequest(
            parent=f"{PARENT}/networks/{network_id}",
            kind=kind,
            dataset=f"{PARENT}/datasets/{dataset_id}",
            **fields,
        )
        return await self.tasks.CreateTask(request, metadata=self.alice)

    async def task(self, name: str) -> Task:
        """Return a task as alice sees it."""
        request = task_service_pb2.GetTaskRequest(name=name)
        return await self.tasks.GetTask(request, metadata=self.alice)

    async def watch(self, name: str) -> list[Task]:
        """Watch a task to its end; returns all that was told."""
        request = task_service_pb2.WatchTaskRequest(name=name)
        return [state async for state in self.tasks.WatchTask(request, metadata=self.alice)]

    async def finish(self, task: Task) -> Task:
        """Wait for a task's end."""
        return (await self.watch(task.name))[-1]

    async def cancel(self, name: str) -> Task:
        """Cancel a task as alice."""
        request = task_service_pb2.CancelTaskRequest(name=name)
        return await self.tasks.CancelTask(request, metadata=self.alice)

    async def progressing(self, name: str) -> Task:
        """Wait until a task has done some rows."""
        while True:
            task = await self.task(name)
            if task.progress.done_rows > 0 or task.state in ENDED:
                return task
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def stream(
        self,
        mode: "learning_service_pb2.LearnMode.ValueType" = learning_service_pb2.LEARN_MODE_LEARN,
        *,
        network_id: str = "net",
        metadata: Metadata | None = None,
        **fields: Any,
    ) -> AsyncIterator["Stream"]:
        """Open a stream as alice; it is cancelled at the end if it still goes on."""
        call = self.learning.Learn(metadata=metadata or self.alice)
        opening = learning_service_pb2.LearnOpen(
            network=f"{PARENT}/networks/{network_id}", mode=mode, **fields
        )
        await call.write(Request(open=opening))
        try:
            yield Stream(call)
        finally:
            call.cancel()


class Stream:
    """A learning stream, message by message."""

    def __init__(self, call: Any) -> None:
        self.call = call

    async def read(self) -> Response:
        """Return the next message that is no progress; an ended stream raises its error."""
        while (message := await self.read_any()).HasField("progress"):
            pass
        return message

    async def read_any(self) -> Response:
        """Return the next message; an ended stream raises its error."""
        message = await self.call.read()
        if message is grpc.aio.EOF:
            code = await self.call.code()
            if code is not grpc.StatusCode.OK:
                raise await self.error()
            raise EOFError
        return message

    async def error(self) -> grpc.aio.AioRpcError:
        """Return the error that the stream ended with."""
        return grpc.aio.AioRpcError(
            await self.call.code(),
            await self.call.initial_metadata(),
            await self.call.trailing_metadata(),
            await self.call.details(),
        )

    async def opened(self) -> learning_service_pb2.LearnOpened:
        """Return the first message, which has to be `opened`."""
        message = await self.read()
        assert "opened" == message.WhichOneof("message")
        return message.opened

    async def send(
        self,
        sequence: int,
        inputs: npt.NDArray[Any],
        labels: Sequence[str | int] = (),
        targets: npt.NDArray[Any] | None = None,
    ) -> None:
        """Send a frame; labels are texts or whole numbers."""
        frame = learning_service_pb2.LearnFrame(sequence=sequence, inputs=tensor_of(inputs))
        if labels and isinstance(labels[0], str):
            frame.labels.values.extend(str(label) for label in labels)
        elif labels:
            frame.label_numbers.CopyFrom(tensor_of(np.array(labels, np.int64)))
        if targets is not None:
            frame.targets.CopyFrom(tensor_of(targets))
        await self.call.write(Request(frame=frame))

    async def close(self) -> learning_service_pb2.LearnClosed:
        """Close in good order; returns the last message, which has to be `closed`."""
        await self.call.write(Request(close=learning_service_pb2.LearnClose()))
        message = await self.read()
        assert "closed" == message.WhichOneof("message")
        return message.closed


def info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """Return the machine-readable reason of a failed call."""
    rich = rpc_status.from_call(error)
    assert rich is not None
    return status.error_info(rich)


def reason_in(rich: status_pb2.Status) -> error_details_pb2.ErrorInfo:
    """Return the machine-readable reason in a status."""
    return status.error_info(rich)


def rows_of_two_kinds(count: int = 200) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Return rows of four channels, and labels that a glance at the first one tells."""
    inputs = np.random.default_rng(7).normal(size=(count, 4)).astype(np.float32)
    return inputs, ["high" if value > 0 else "low" for value in inputs[:, 0]]


def csv_of_two_kinds(count: int = 200) -> str:
    """Return such rows as a CSV file with the target column `kind`."""
    inputs, labels = rows_of_two_kinds(count)
    lines = [
        ",".join([*(f"{value:.6f}" for value in row), label])
        for row, label in zip(inputs, labels, strict=True)
    ]
    return "\n".join(["a,b,c,d,kind", *lines]) + "\n"


def idx_files(count: int = 64) -> dict[str, bytes]:
    """Return pictures of 2 x 2 bytes whose label is the brighter half, as IDX files."""
    pictures = np.random.default_rng(3).integers(0, 256, (count, 2, 2), np.uint8)
    labels = (pictures[:, 0].sum(axis=1) > pictures[:, 1].sum(axis=1)).astype(np.uint8)
    sizes = b"".join(length.to_bytes(4, "big") for length in (count, 2, 2))
    return {
        "images": b"\x00\x00\x08\x03" + sizes + pictures.tobytes(),
        "labels": b"\x00\x00\x08\x01" + count.to_bytes(4, "big") + labels.tobytes(),
    }


async def upload_two_kinds(
    shiori: RunningShiori, dataset_id: str = "kinds", count: int = 200
) -> dataset_service_pb2.Dataset:
    """Store rows of two kinds as a data set."""
    return await shiori.upload_csv(dataset_id, csv_of_two_kinds(count), target_column="kind")


@asynccontextmanager
async def start_kyouko(
    misaki: RunningMisaki, shiori_address: str, folder: Path, alice: Metadata, **changes: Any
) -> AsyncIterator[RunningKyouko]:
    """Run a real kyouko with its files in a folder."""
    values: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "data_directory": folder,
        "misaki_address": misaki.address,
        "shiori_address": shiori_address,
        "service_secret_file": misaki.service_secret_file,
        "drain_seconds": 2.0,
        "dependency_patience_seconds": 60.0,
    }
    settings = KyoukoSettings(**(values | changes))
    async with (
        build(settings) as application,
        serving(settings, application) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield RunningKyouko(channel=channel, running=running, folder=folder, alice=alice)
