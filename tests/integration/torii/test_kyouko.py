"""The whole way: a websocket through a real torii into a real, growing network."""

import numpy as np
import pytest
from google.rpc import code_pb2
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.type.v1 import tensor_pb2

from mesh import status
from mesh.tensors import array_of, tensor_of
from tests.integration.kyouko.servers import NETWORK
from tests.integration.meshes import RunningMisaki
from tests.integration.torii.doors import closing, ending, frame, opening, said
from tests.integration.torii.garden import Garden, token_of

ROWS = np.random.default_rng(5).normal(size=(64, 4)).astype(np.float32)
LABELS = ["high" if row[0] > 0 else "low" for row in ROWS]


def labelled(sequence: int) -> bytes:
    """Return a frame of rows with their labels."""
    message = pb.LearnFrame(
        sequence=sequence, inputs=tensor_of(ROWS), labels=pb.LabelList(values=LABELS)
    )
    return pb.LearnRequest(frame=message).SerializeToString()


async def test_a_network_learns_over_a_websocket(garden: Garden) -> None:
    """Rows sent over the websocket are learned, scored and kept, and growth is seen."""
    token = token_of(garden.kyouko.alice)
    async with garden.torii.websocket(token=token) as socket:
        await socket.send(opening(NETWORK))
        opened = (await said(socket)).opened
        for sequence in range(1, 21):
            await socket.send(labelled(sequence))
        results = [(await said(socket)).result for _ in range(20)]
        await socket.send(closing())
        closed = (await said(socket)).closed
        end = await ending(socket)

    assert opened.network.statistics.connections == 0
    assert list(range(1, 21)) == [result.sequence for result in results]
    assert results[-1].learned_rows == 20 * len(ROWS)
    assert array_of(results[-1].predicted, field="predicted").shape == (len(ROWS),)
    assert results[-1].correct_rows > results[0].correct_rows
    assert closed.network.kept_rows == 20 * len(ROWS)
    assert closed.network.statistics.connections > 0
    assert end.code == 1000


async def test_a_bad_frame_is_a_fault_and_the_websocket_lives(garden: Garden) -> None:
    """Bytes that do not fit their shape are refused by sequence; the next frame is learned."""
    token = token_of(garden.kyouko.alice)
    bad = tensor_pb2.Tensor(
        data_type=tensor_pb2.DATA_TYPE_FLOAT32, shape=[64, 4], packed=ROWS.tobytes()[:-1]
    )
    async with garden.torii.websocket(token=token) as socket:
        await socket.send(opening(NETWORK))
        await said(socket)
        request = pb.LearnRequest(frame=pb.LearnFrame(sequence=1, inputs=bad))
        await socket.send(request.SerializeToString())
        fault = (await said(socket)).fault
        await socket.send(labelled(2))
        result = (await said(socket)).result

    assert fault.sequence == 1
    assert status.error_info(fault.status).reason == "TENSOR_INVALID"
    assert (result.sequence, result.learned_rows) == (2, len(ROWS))


async def test_a_broken_protocol_ends_with_kyoukos_words(garden: Garden) -> None:
    """A frame before the opening ends the stream as it does over gRPC."""
    async with garden.torii.websocket(token=token_of(garden.kyouko.alice)) as socket:
        await socket.send(frame(1, channels=4))
        end = await ending(socket)

    assert end.code == 4000 + code_pb2.INVALID_ARGUMENT
    assert end.fault is not None
    assert status.error_info(end.fault.status).reason == "STREAM_PROTOCOL"


@pytest.mark.parametrize(
    ("role", "code", "reason"),
    [(None, 4005, "RESOURCE_NOT_FOUND"), ("VIEWER", 4007, "ROLE_INSUFFICIENT")],
)
async def test_another_users_token_opens_no_more_than_it_may(
    garden: Garden, misaki: RunningMisaki, role: str | None, code: int, reason: str
) -> None:
    """The rights are those of the token's user: strangers find nothing, viewers cannot teach."""
    roles = {"flowers": role} if role else {}
    await misaki.create_project("meadow")
    metadata = await misaki.create_user("mallory", meadow="MEMBER", **roles)

    async with garden.torii.websocket(token=token_of(metadata)) as socket:
        await socket.send(opening(NETWORK))
        end = await ending(socket)

    assert end.code == code
    assert end.fault is not None
    assert status.error_info(end.fault.status).reason == reason
