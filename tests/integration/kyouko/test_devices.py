"""What devices may do with networks: what their key's scope names, and nothing else."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
import pytest
from hanami.inference import grpc_service_pb2 as inference_pb
from hanami.inference import grpc_service_pb2_grpc
from hanami.kyouko.v1 import (
    learning_service_pb2 as pb,
)
from hanami.kyouko.v1 import (
    network_service_pb2,
    task_service_pb2,
)

from tests.integration.kyouko.devices import device
from tests.integration.kyouko.servers import NETWORK, PARENT, RunningKyouko, rows_of_two_kinds
from tests.integration.kyouko.test_inference import infer_request
from tests.integration.meshes import Metadata, RunningMisaki
from tests.integration.statuses import refusal

LEARN, PREDICT = "learn", "predict"
INPUTS, LABELS = rows_of_two_kinds()


async def by_stream(kyouko: RunningKyouko, metadata: Metadata, mode: str) -> str:
    """Open a stream, and let it answer a frame; returns what was answered."""
    number = pb.LearnMode.Value(f"LEARN_MODE_{mode.upper()}")
    async with kyouko.stream(number, metadata=metadata) as stream:
        await stream.opened()
        await stream.send(1, INPUTS[:4], LABELS[:4])
        return str((await stream.read()).WhichOneof("message"))


async def by_halves(kyouko: RunningKyouko, metadata: Metadata, mode: str) -> str:
    """Open a stream in two halves, and let it take a frame; returns what was answered."""
    opening = pb.LearnOpen(network=NETWORK, mode=pb.LearnMode.Value(f"LEARN_MODE_{mode.upper()}"))
    call: Any = kyouko.learning.OpenLearning(
        pb.OpenLearningRequest(open=opening), metadata=metadata
    )
    answer = await call.read()
    if not isinstance(answer, pb.LearnResponse):
        await call
    close = pb.LearnRequest(close=pb.LearnClose())
    sent = pb.SendLearningRequest(stream_id=answer.opened.stream_id, number=1, message=close)
    await kyouko.learning.SendLearning(sent, metadata=metadata)
    return str((await call.read()).WhichOneof("message"))


async def by_inference(kyouko: RunningKyouko, metadata: Metadata) -> str:
    """Ask whether a model is ready, what it is, and what it predicts; returns its name."""
    stub: Any = grpc_service_pb2_grpc.GRPCInferenceServiceStub(kyouko.channel)
    ready = await stub.ModelReady(inference_pb.ModelReadyRequest(name=NETWORK), metadata=metadata)
    if not ready.ready:
        return "not ready"
    model = await stub.ModelMetadata(
        inference_pb.ModelMetadataRequest(name=NETWORK), metadata=metadata
    )
    await stub.ModelInfer(infer_request(INPUTS[:4]), metadata=metadata)
    return str(model.name)


@pytest.mark.parametrize("network", ["net", ""])
async def test_device_does_what_its_key_covers(
    misaki: RunningMisaki, kyouko: RunningKyouko, network: str
) -> None:
    """With a key of the network, or of all networks, it learns and predicts on every way."""
    await kyouko.create_network()
    metadata = device(misaki, [LEARN, PREDICT], network=network)

    outcomes = [
        await by_stream(kyouko, metadata, LEARN),
        await by_stream(kyouko, metadata, PREDICT),
        await by_halves(kyouko, metadata, LEARN),
        await by_inference(kyouko, metadata),
    ]

    assert ["result", "result", "closed", NETWORK] == outcomes


@pytest.mark.parametrize(
    ("actions", "way"),
    [
        ([PREDICT], lambda k, m: by_stream(k, m, LEARN)),
        ([PREDICT], lambda k, m: by_halves(k, m, LEARN)),
        ([LEARN], lambda k, m: by_stream(k, m, PREDICT)),
        ([LEARN], lambda k, m: by_halves(k, m, PREDICT)),
        ([LEARN], by_inference),
        ([], lambda k, m: by_stream(k, m, LEARN)),
    ],
)
async def test_other_action_is_denied(
    misaki: RunningMisaki,
    kyouko: RunningKyouko,
    actions: Sequence[str],
    way: Callable[[RunningKyouko, Metadata], Awaitable[str]],
) -> None:
    """A key for one action opens no way to the other."""
    await kyouko.create_network()

    answer = await refusal(way(kyouko, device(misaki, actions)))

    assert (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_INSUFFICIENT") == (answer.code, answer.reason)


@pytest.mark.parametrize("scope", [{"network": "other"}, {"project": "rocks"}])
async def test_other_network_does_not_exist(
    misaki: RunningMisaki, kyouko: RunningKyouko, scope: dict[str, str]
) -> None:
    """A key of another network or project cannot tell that this one is there."""
    await kyouko.create_network()
    metadata = device(misaki, [LEARN, PREDICT], **scope)

    answers = [
        await refusal(by_stream(kyouko, metadata, LEARN)),
        await refusal(by_halves(kyouko, metadata, PREDICT)),
    ]

    assert [grpc.StatusCode.NOT_FOUND] * 2 == [answer.code for answer in answers]
    assert "not ready" == await by_inference(kyouko, metadata)


async def test_nothing_else_is_open_to_devices(
    misaki: RunningMisaki, kyouko: RunningKyouko
) -> None:
    """Networks and tasks cannot be read, listed, made or deleted with the mightiest key."""
    await kyouko.create_network()
    metadata = device(misaki, [LEARN, PREDICT], network="")
    networks: Any = kyouko.networks
    tasks: Any = kyouko.tasks

    answers = [
        await refusal(call)
        for call in (
            networks.GetNetwork(
                network_service_pb2.GetNetworkRequest(name=NETWORK), metadata=metadata
            ),
            networks.ListNetworks(
                network_service_pb2.ListNetworksRequest(parent=PARENT), metadata=metadata
            ),
            networks.DeleteNetwork(
                network_service_pb2.DeleteNetworkRequest(name=NETWORK), metadata=metadata
            ),
            networks.CreateNetwork(
                network_service_pb2.CreateNetworkRequest(
                    parent=PARENT, network_id="new", template="templates/flat", channels=4
                ),
                metadata=metadata,
            ),
            tasks.ListTasks(task_service_pb2.ListTasksRequest(parent=NETWORK), metadata=metadata),
        )
    ]

    assert {("PERMISSION_DENIED", "ROLE_INSUFFICIENT")} == {
        (answer.code.name, answer.reason) for answer in answers
    }
