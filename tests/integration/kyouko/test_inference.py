"""Kyouko as a server of the Open Inference Protocol."""

from typing import Any

import grpc
import numpy as np
import pytest
from hanami.inference import grpc_service_pb2 as pb
from hanami.inference import grpc_service_pb2_grpc
from hanami.kyouko.v1 import learning_service_pb2

from tests.integration.kyouko.servers import NETWORK, RunningKyouko, info_of, rows_of_two_kinds
from tests.integration.meshes import RunningMisaki


def stub(kyouko: RunningKyouko) -> Any:
    """Return the stub of the inference service."""
    return grpc_service_pb2_grpc.GRPCInferenceServiceStub(kyouko.channel)


def infer_request(
    inputs: "np.ndarray[Any, np.dtype[np.float32]]", name: str = NETWORK
) -> pb.ModelInferRequest:
    """Return a request for raw float32 rows."""
    tensor = pb.ModelInferRequest.InferInputTensor(
        name="inputs", datatype="FP32", shape=inputs.shape
    )
    return pb.ModelInferRequest(
        model_name=name, inputs=[tensor], raw_input_contents=[inputs.tobytes()]
    )


async def teach(kyouko: RunningKyouko) -> None:
    """Make a network and let it learn rows of two kinds."""
    await kyouko.create_network()
    inputs, labels = rows_of_two_kinds()
    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, inputs, labels)
        await stream.read()
        await stream.close()


async def test_predictions_are_those_of_a_stream(kyouko: RunningKyouko) -> None:
    """Bit for bit what a stream in the mode PREDICT answers, and nothing is learned."""
    await teach(kyouko)
    rows, _ = rows_of_two_kinds(16)
    mode = learning_service_pb2.LEARN_MODE_PREDICT
    async with kyouko.stream(mode, return_outputs=True) as stream:
        await stream.opened()
        await stream.send(1, rows)
        streamed = (await stream.read()).result

    answer = await stub(kyouko).ModelInfer(infer_request(rows), metadata=kyouko.alice)

    labels = (await kyouko.network()).labels
    indices = np.frombuffer(streamed.predicted.packed, "<i4")
    lengths = [len(labels[index]) for index in indices]
    texts = b"".join(
        length.to_bytes(4, "little") + labels[index].encode()
        for index, length in zip(indices, lengths, strict=True)
    )
    assert streamed.outputs.packed == answer.raw_output_contents[0]
    assert texts == answer.raw_output_contents[1]
    assert (200, 200) == (
        answer.parameters["learned_rows"].int64_param,
        (await kyouko.network()).statistics.learned_rows,
    )


async def test_the_server_tells_of_itself_without_a_token(kyouko: RunningKyouko) -> None:
    """Live, ready, and which version."""
    live = await stub(kyouko).ServerLive(pb.ServerLiveRequest())
    ready = await stub(kyouko).ServerReady(pb.ServerReadyRequest())
    metadata = await stub(kyouko).ServerMetadata(pb.ServerMetadataRequest())

    assert (True, True, "hanami") == (live.live, ready.ready, metadata.name)
    assert metadata.version


async def test_a_network_of_somebody_else_is_not_ready(
    kyouko: RunningKyouko, misaki: RunningMisaki
) -> None:
    """Unknown and forbidden look alike."""
    await kyouko.create_network()
    await misaki.create_project("fields")
    bob = await misaki.create_user("bob", fields="VIEWER")

    own = await stub(kyouko).ModelReady(pb.ModelReadyRequest(name=NETWORK), metadata=kyouko.alice)
    foreign = await stub(kyouko).ModelReady(pb.ModelReadyRequest(name=NETWORK), metadata=bob)
    unknown = await stub(kyouko).ModelReady(
        pb.ModelReadyRequest(name="flowers/none"), metadata=kyouko.alice
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub(kyouko).ModelInfer(infer_request(np.zeros((1, 4), np.float32)), metadata=bob)

    assert (True, False, False) == (own.ready, foreign.ready, unknown.ready)
    assert "RESOURCE_NOT_FOUND" == info_of(refused.value).reason


async def test_a_viewer_may_predict(kyouko: RunningKyouko, misaki: RunningMisaki) -> None:
    """Predicting changes nothing, so it needs no more."""
    await teach(kyouko)
    eve = await misaki.create_user("eve", flowers="VIEWER")

    answer = await stub(kyouko).ModelInfer(
        infer_request(np.zeros((1, 4), np.float32), "flowers/net"), metadata=eve
    )

    assert (NETWORK, [1, 2]) == (answer.model_name, list(answer.outputs[0].shape))


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((1, 5), "WIDTH_MISMATCH"),
        ((4,), "TENSOR_INVALID"),
        ((1, 4, 1), "TENSOR_INVALID"),
        ((5000, 4), "LIMIT_REACHED"),
    ],
)
async def test_rows_that_do_not_fit_are_refused(
    kyouko: RunningKyouko, shape: tuple[int, ...], reason: str
) -> None:
    """Too wide, not rows at all, too many."""
    await kyouko.create_network()

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub(kyouko).ModelInfer(
            infer_request(np.zeros(shape, np.float32)), metadata=kyouko.alice
        )

    assert reason == info_of(refused.value).reason


async def test_no_rows_get_no_answers(kyouko: RunningKyouko) -> None:
    """An empty tensor of the right width is allowed."""
    await teach(kyouko)

    answer = await stub(kyouko).ModelInfer(
        infer_request(np.zeros((0, 4), np.float32)), metadata=kyouko.alice
    )

    assert [0, 2] == list(answer.outputs[0].shape)


async def test_methods_beyond_ours_are_unimplemented(kyouko: RunningKyouko) -> None:
    """A client that asks for more of the protocol is told so."""
    call = kyouko.channel.unary_unary("/inference.GRPCInferenceService/ModelConfig")

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(b"", metadata=kyouko.alice)

    assert grpc.StatusCode.UNIMPLEMENTED is refused.value.code()
