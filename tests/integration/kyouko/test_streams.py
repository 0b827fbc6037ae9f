"""Learning streams on the wire, message by message."""

import asyncio
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.kyouko.v1 import network_service_pb2
from hanami.type.v1 import tensor_pb2

from mesh.tensors import array_of, tensor_of
from tests.integration.kyouko.servers import (
    NETWORK,
    PARENT,
    Request,
    RunningKyouko,
    Stream,
    info_of,
    reason_in,
    rows_of_two_kinds,
    start_kyouko,
)
from tests.integration.meshes import Metadata, RunningMisaki
from tests.integration.shiori.servers import RunningShiori

ONE_ROW = np.ones((1, 4), np.float32)


def token_of(metadata: Metadata) -> str:
    """Return the token in call metadata."""
    return dict(metadata)["authorization"].removeprefix("Bearer ")


async def fault_of(stream: Stream) -> pb.LearnFault:
    """Return the next message, which has to be a fault."""
    message = await stream.read()
    assert "fault" == message.WhichOneof("message")
    return message.fault


async def result_of(stream: Stream) -> pb.LearnResult:
    """Return the next message, which has to be a result."""
    message = await stream.read()
    assert "result" == message.WhichOneof("message")
    return message.result


async def ended(stream: Stream) -> grpc.aio.AioRpcError:
    """Read until the stream's error, which has to come."""
    try:
        while True:
            await stream.read()
    except grpc.aio.AioRpcError as error:
        return error


async def test_a_stream_learns_and_is_kept(kyouko: RunningKyouko) -> None:
    """Each frame has its result in order; `closed` says that a snapshot holds every row."""
    await kyouko.create_network()
    inputs, labels = rows_of_two_kinds(640)

    async with kyouko.stream() as stream:
        opened = await stream.opened()
        for index in range(10):
            part = slice(64 * index, 64 * index + 64)
            await stream.send(index + 1, inputs[part], labels[part])
        results = [await result_of(stream) for _ in range(10)]
        closed = await stream.close()
        with pytest.raises(EOFError):
            await stream.read()

    assert NETWORK == opened.network.name
    assert list(range(1, 11)) == [result.sequence for result in results]
    assert list(range(64, 641, 64)) == [result.learned_rows for result in results]
    assert results[-1].correct_rows > 48
    assert (640, 640) == (closed.network.kept_rows, closed.network.statistics.learned_rows)
    assert ["high", "low"] == sorted(closed.network.labels)


async def test_new_labels_are_told_in_the_order_of_the_outputs(kyouko: RunningKyouko) -> None:
    """A result names the labels since the last one; predicted indices point into all of them."""
    await kyouko.create_network()

    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, np.ones((2, 4), np.float32), ["b", "a"])
        first = await result_of(stream)
        await stream.send(2, np.ones((2, 4), np.float32), ["a", "c"])
        second = await result_of(stream)

    assert (["b", "a"], ["c"]) == (list(first.new_labels), list(second.new_labels))
    assert -1 == array_of(first.predicted, field="predicted")[0]
    assert array_of(second.predicted, field="predicted")[0] in (0, 1)


async def test_numbers_as_labels_are_their_digits(kyouko: RunningKyouko) -> None:
    """The whole number 7 and the text "7" are one label."""
    await kyouko.create_network()

    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, ONE_ROW, [7])
        await stream.send(2, ONE_ROW, ["7"])
        results = [await result_of(stream) for _ in range(2)]

    assert [["7"], []] == [list(result.new_labels) for result in results]


async def test_frames_without_targets_are_only_predicted(kyouko: RunningKyouko) -> None:
    """Such a frame has predictions, no loss, and teaches nothing."""
    await kyouko.create_network()

    async with kyouko.stream(return_outputs=True) as stream:
        await stream.opened()
        await stream.send(1, ONE_ROW, ["a"])
        await stream.send(2, np.ones((3, 4), np.uint8))
        learned, predicted = [await result_of(stream) for _ in range(2)]

    assert (1, 1) == (learned.learned_rows, predicted.learned_rows)
    assert learned.HasField("loss")
    assert not predicted.HasField("loss")
    assert [0, 0, 0] == array_of(predicted.predicted, field="predicted").tolist()
    assert (3, 1) == array_of(predicted.outputs, field="outputs").shape


async def test_a_frame_without_rows_has_a_result_without_rows(kyouko: RunningKyouko) -> None:
    """It teaches nothing, and the stream goes on; with labels or without."""
    await kyouko.create_network()
    empty = np.zeros((0, 4), np.float32)
    labelled = pb.LearnFrame(sequence=2, inputs=tensor_of(empty), labels=pb.LabelList())

    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, empty)
        await stream.call.write(Request(frame=labelled))
        await stream.send(3, ONE_ROW, ["a"])
        results = [await result_of(stream) for _ in range(3)]

    assert [0, 0, 1] == [result.learned_rows for result in results]
    assert [[0], [0], [1]] == [list(result.predicted.shape) for result in results]


async def test_numbers_return_all_outputs(kyouko: RunningKyouko) -> None:
    """A network of numbers answers with float32 outputs and a loss, and no labels."""
    await kyouko.create_network(template="templates/flat-numbers")

    async with kyouko.stream() as stream:
        opened = await stream.opened()
        await stream.send(1, np.ones((5, 4), np.float32), targets=np.ones((5, 1), np.float64))
        result = await result_of(stream)

    assert opened.max_outstanding_rows > 0
    assert (5, 1) == array_of(result.outputs, field="outputs").shape
    assert (5,) == array_of(result.loss, field="loss").shape
    assert not result.HasField("predicted")


async def test_missing_and_infinite_inputs_are_learned(kyouko: RunningKyouko) -> None:
    """NaN is a missing value and an infinity the largest number; no fault, no NaN in answers."""
    await kyouko.create_network()
    odd = np.array([[np.nan, 1, np.inf, -np.inf]], np.float32)

    async with kyouko.stream(return_outputs=True) as stream:
        await stream.opened()
        for sequence in range(1, 80):
            await stream.send(
                sequence, odd if sequence % 2 else ONE_ROW, ["x" if sequence % 3 else "y"]
            )
        results = [await result_of(stream) for _ in range(1, 80)]

    assert 79 == results[-1].learned_rows
    assert all(np.isfinite(array_of(r.outputs, field="outputs")).all() for r in results)


async def test_a_bad_frame_is_a_fault_and_the_stream_lives(kyouko: RunningKyouko) -> None:
    """Every kind of bad frame is refused with its reason, and the next good one is learned."""
    await kyouko.create_network()
    short = pb.LearnFrame(sequence=1)
    short.inputs.data_type = tensor_pb2.DATA_TYPE_UINT8
    short.inputs.shape.extend([64, 4])
    short.inputs.packed = b"123"

    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.call.write(Request(frame=short))
        await stream.send(2, np.ones((2, 5), np.float32), ["a", "b"])
        await stream.send(3, np.ones((2, 4), np.float32), ["a"])
        await stream.send(4, np.ones((2, 4), np.float32), ["a", ""])
        await stream.send(5, np.ones((1, 4), np.float32), targets=np.ones((1, 1), np.float32))
        await stream.send(6, np.ones(4, np.float32), ["a"])
        await stream.call.write(Request(frame=pb.LearnFrame(sequence=7)))
        faults = [await fault_of(stream) for _ in range(7)]
        await stream.send(8, ONE_ROW, ["a"])
        result = await result_of(stream)

    assert [
        (1, "TENSOR_INVALID"),
        (2, "WIDTH_MISMATCH"),
        (3, "TARGET_INVALID"),
        (4, "TARGET_INVALID"),
        (5, "TARGET_INVALID"),
        (6, "TENSOR_INVALID"),
        (7, "TENSOR_INVALID"),
    ] == [(fault.sequence, reason_in(fault.status).reason) for fault in faults]
    assert 1 == faults[3].row
    assert {"field": "frame.inputs", "expected": "256", "actual": "3"} == dict(
        reason_in(faults[0].status).metadata
    )
    assert (1, ["a"]) == (result.learned_rows, list(result.new_labels))


async def test_targets_that_are_no_numbers_name_their_row(kyouko: RunningKyouko) -> None:
    """NaN and infinite targets are TARGET_INVALID with the first row at fault."""
    await kyouko.create_network(template="templates/flat-numbers")

    async with kyouko.stream() as stream:
        await stream.opened()
        for sequence, bad in ((1, np.nan), (2, np.inf)):
            targets = np.array([[1], [2], [bad]], np.float32)
            await stream.send(sequence, np.ones((3, 4), np.float32), targets=targets)
        faults = [await fault_of(stream) for _ in range(2)]

    assert [("TARGET_INVALID", 2)] * 2 == [
        (reason_in(fault.status).reason, fault.row) for fault in faults
    ]


async def test_too_many_labels_are_a_fault(kyouko: RunningKyouko) -> None:
    """The label beyond max_labels is LIMIT_REACHED with its row, and opens nothing."""
    yaml = (
        "inputs: [{name: in, channels: 4}]\npopulations: [{name: all, neurons: 8}]\n"
        "outputs: [{name: out, kind: classes}]\noptions: {max_labels: 2}\n"
    )
    await kyouko.create_network(template_yaml=yaml)

    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, np.ones((3, 4), np.float32), ["a", "b", "c"])
        fault = await fault_of(stream)
        await stream.send(2, np.ones((2, 4), np.float32), ["a", "b"])
        result = await result_of(stream)

    assert ("LIMIT_REACHED", 2) == (reason_in(fault.status).reason, fault.row)
    assert ["a", "b"] == list(result.new_labels)


async def test_a_frame_of_too_many_rows_is_a_fault(kyouko: RunningKyouko) -> None:
    """More rows than `max_frame_rows` are LIMIT_REACHED."""
    await kyouko.create_network()

    async with kyouko.stream() as stream:
        most = (await stream.opened()).max_frame_rows
        await stream.send(1, np.ones((most + 1, 4), np.uint8))
        fault = await fault_of(stream)

    assert "LIMIT_REACHED" == reason_in(fault.status).reason


@pytest.mark.parametrize(
    "messages",
    [
        [Request(frame=pb.LearnFrame(sequence=1))],
        [Request(close=pb.LearnClose())],
        [Request(authentication=pb.LearnAuthentication(access_token="x"))],
        [Request()],
    ],
)
async def test_a_stream_has_to_begin_with_open(
    kyouko: RunningKyouko, messages: list[Request]
) -> None:
    """Any other first message ends the stream with STREAM_PROTOCOL."""
    call = kyouko.learning.Learn(metadata=kyouko.alice)
    for message in messages:
        await call.write(message)

    error = await ended(Stream(call))

    assert grpc.StatusCode.INVALID_ARGUMENT == error.code()
    assert ("STREAM_PROTOCOL", "open") == (
        info_of(error).reason,
        info_of(error).metadata["expected"],
    )


async def test_an_open_message_is_checked_in_full(kyouko: RunningKyouko) -> None:
    """A mode that is not set is FIELD_INVALID with the path of the field."""
    async with kyouko.stream(pb.LEARN_MODE_UNSPECIFIED) as stream:
        error = await ended(stream)

    assert "FIELD_INVALID" == info_of(error).reason


@pytest.mark.parametrize(
    "second",
    [
        Request(open=pb.LearnOpen(network=NETWORK, mode=pb.LEARN_MODE_LEARN)),
        Request(frame=pb.LearnFrame(sequence=0)),
        Request(),
    ],
)
async def test_a_broken_protocol_ends_the_stream_after_its_answers(
    kyouko: RunningKyouko, second: Request
) -> None:
    """A second open, no sequence, or an empty message ends it; frame 1 is answered."""
    await kyouko.create_network()

    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, ONE_ROW, ["a"])
        await stream.call.write(second)
        result = await result_of(stream)
        error = await ended(stream)

    assert 1 == result.learned_rows
    assert "STREAM_PROTOCOL" == info_of(error).reason


async def test_what_follows_close_is_not_learned(kyouko: RunningKyouko) -> None:
    """`close` is the last message that counts, even if a frame comes right behind it."""
    await kyouko.create_network()

    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, ONE_ROW, ["a"])
        await result_of(stream)
        await stream.call.write(Request(close=pb.LearnClose()))
        await stream.send(2, ONE_ROW, ["b"])
        message = await stream.read()

    assert "closed" == message.WhichOneof("message")
    assert (1, ["a"]) == (message.closed.network.kept_rows, list(message.closed.network.labels))


async def test_a_viewer_predicts_and_does_not_learn(
    kyouko: RunningKyouko, misaki: RunningMisaki
) -> None:
    """Predict streams are open to VIEWER and score frames with labels; learn streams are not."""
    await kyouko.create_network()
    viewer = await misaki.create_user("victor", flowers="VIEWER")

    async with kyouko.stream(pb.LEARN_MODE_PREDICT, metadata=viewer) as stream:
        await stream.opened()
        await stream.send(1, ONE_ROW, ["a"])
        result = await result_of(stream)
        closed = await stream.close()
    async with kyouko.stream(pb.LEARN_MODE_LEARN, metadata=viewer) as stream:
        error = await ended(stream)

    assert (0, 0, []) == (result.learned_rows, closed.network.kept_rows, list(result.new_labels))
    assert result.HasField("loss")
    assert "ROLE_INSUFFICIENT" == info_of(error).reason


async def test_a_stranger_finds_no_network(kyouko: RunningKyouko, misaki: RunningMisaki) -> None:
    """A member of another project gets the same answer as for a network that is not there."""
    await kyouko.create_network()
    await misaki.create_project("rocks")
    stranger = await misaki.create_user("steve", rocks="MEMBER")

    async with kyouko.stream(metadata=stranger) as stream:
        foreign = await ended(stream)
    async with kyouko.stream(network_id="none") as stream:
        missing = await ended(stream)

    assert ["RESOURCE_NOT_FOUND"] * 2 == [info_of(foreign).reason, info_of(missing).reason]


async def test_two_streams_share_a_network(kyouko: RunningKyouko) -> None:
    """Frames of two streams are learned one after the other; none is lost."""
    await kyouko.create_network()
    inputs, labels = rows_of_two_kinds(64)

    async with kyouko.stream() as one, kyouko.stream() as other:
        for stream in (one, other):
            await stream.opened()
        for sequence in range(1, 21):
            await one.send(sequence, inputs, labels)
            await other.send(sequence, inputs, labels)
        for stream in (one, other):
            answers = [await result_of(stream) for _ in range(20)]
            learned = [answer.learned_rows for answer in answers]
            assert sorted(set(learned)) == learned
        await one.close()
        closed = await other.close()

    assert 40 * 64 == closed.network.kept_rows


async def test_more_than_the_window_is_not_lost(kyouko: RunningKyouko) -> None:
    """A client that sends far beyond a window of one row gets every answer, in order."""
    await kyouko.create_network()

    async with kyouko.stream(max_outstanding_rows=1) as stream:
        opened = await stream.opened()
        for sequence in range(1, 101):
            await stream.send(sequence, ONE_ROW, ["a"])
        results = [await result_of(stream) for _ in range(100)]

    assert 1 == opened.max_outstanding_rows
    assert list(range(1, 101)) == [result.sequence for result in results]


async def test_an_idle_stream_tells_that_it_lives(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After the quiet time a progress message comes, and again after the next."""
    folder = tmp_path_factory.mktemp("kyouko")
    async with start_kyouko(
        misaki, "127.0.0.1:1", folder, shiori.alice, stream_idle_seconds=0.1
    ) as kyouko:
        await kyouko.create_network()
        async with kyouko.stream() as stream:
            await stream.opened()
            await stream.send(1, ONE_ROW, ["a"])
            await result_of(stream)
            messages = [await stream.read_any() for _ in range(2)]

    assert ["progress"] * 2 == [message.WhichOneof("message") for message in messages]
    assert 1 == messages[0].progress.learned_rows


async def test_a_client_that_hangs_up_keeps_what_it_taught(kyouko: RunningKyouko) -> None:
    """Without `close` the rows stay learned, and a snapshot is taken soon."""
    await kyouko.create_network()

    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, ONE_ROW, ["a"])
        await result_of(stream)
    for _ in range(1000):
        network = await kyouko.network()
        if network.kept_rows:
            break
        await asyncio.sleep(0.05)

    assert (1, 1) == (network.statistics.learned_rows, network.kept_rows)


async def test_a_half_closed_stream_ends_in_peace(kyouko: RunningKyouko) -> None:
    """A client that only stops sending gets its answers and an OK, but no `closed`."""
    await kyouko.create_network()

    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, ONE_ROW, ["a"])
        await stream.call.done_writing()
        result = await result_of(stream)
        with pytest.raises(EOFError):
            await stream.read()

    assert 1 == result.learned_rows
    assert 1 == (await kyouko.network()).kept_rows


async def test_an_expired_token_ends_the_stream(
    shiori: RunningShiori, misaki: RunningMisaki, kyouko: RunningKyouko
) -> None:
    """A stream whose token was not renewed ends with TOKEN_INVALID, "expired"."""
    await kyouko.create_network()
    short, _ = await _short_lived(misaki)

    async with kyouko.stream(metadata=short) as stream:
        await stream.opened()
        error = await ended(stream)

    assert grpc.StatusCode.UNAUTHENTICATED == error.code()
    assert ("TOKEN_INVALID", "expired") == (
        info_of(error).reason,
        info_of(error).metadata["problem"],
    )


async def test_a_fresh_token_keeps_the_stream(
    shiori: RunningShiori, misaki: RunningMisaki, kyouko: RunningKyouko
) -> None:
    """With `authentication` in time the stream goes on beyond its first token."""
    await kyouko.create_network()
    short, ends_at = await _short_lived(misaki)

    async with kyouko.stream(metadata=short) as stream:
        await stream.opened()
        message = pb.LearnAuthentication(access_token=token_of(await misaki.admin()))
        await stream.call.write(Request(authentication=message))
        await asyncio.sleep(ends_at + 0.2 - time.time())
        await stream.send(1, ONE_ROW, ["a"])
        result = await result_of(stream)

    assert 1 == result.learned_rows


async def test_the_token_of_somebody_else_is_a_fault(
    kyouko: RunningKyouko, misaki: RunningMisaki
) -> None:
    """A token of another user, or none at all, is TOKEN_INVALID without a sequence."""
    await kyouko.create_network()
    other = await misaki.create_user("olga", flowers="MEMBER")

    async with kyouko.stream() as stream:
        await stream.opened()
        for token in (token_of(other), "nonsense"):
            message = pb.LearnAuthentication(access_token=token)
            await stream.call.write(Request(authentication=message))
        faults = [await fault_of(stream) for _ in range(2)]
        await stream.send(1, ONE_ROW, ["a"])
        await result_of(stream)

    assert ["TOKEN_INVALID"] * 2 == [reason_in(fault.status).reason for fault in faults]
    assert not faults[0].HasField("sequence")


async def test_deleting_a_network_ends_its_streams(kyouko: RunningKyouko) -> None:
    """An open stream ends with RESOURCE_NOT_FOUND, and the network is gone for good."""
    await kyouko.create_network()

    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, ONE_ROW, ["a"])
        await result_of(stream)
        await kyouko.networks.DeleteNetwork(
            network_service_pb2.DeleteNetworkRequest(name=NETWORK), metadata=kyouko.alice
        )
        error = await ended(stream)

    assert ("RESOURCE_NOT_FOUND", NETWORK) == (
        info_of(error).reason,
        info_of(error).metadata["resource"],
    )
    assert [] == list((kyouko.folder / "snapshots").rglob("*.safetensors"))
    listed = await kyouko.networks.ListNetworks(
        network_service_pb2.ListNetworksRequest(parent=PARENT), metadata=kyouko.alice
    )
    assert [] == list(listed.networks)


async def _short_lived(misaki: RunningMisaki) -> tuple[Metadata, float]:
    """Return metadata with a token of the admin that ends in about four seconds, and when."""
    import jwt
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    claims = jwt.decode(token_of(await misaki.admin()), options={"verify_signature": False})
    header = jwt.get_unverified_header(token_of(await misaki.admin()))
    key_file = next(misaki.settings.data_directory.rglob("*.pem"))
    key = load_pem_private_key(key_file.read_bytes(), password=None)
    claims["exp"] = int(time.time()) + 4
    token = jwt.encode(claims, key, algorithm="EdDSA", headers=header)  # type: ignore[arg-type]
    return (("authorization", f"Bearer {token}"),), claims["exp"]


async def test_one_user_does_not_take_all_streams(
    misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path
) -> None:
    """One more than a user may have is QUOTA_EXCEEDED; others still find a place."""
    address = f"127.0.0.1:{shiori.running.port}"
    bob = await misaki.create_user("bob", flowers="MEMBER")
    await misaki.limit("users/alice", streams=2)
    async with start_kyouko(misaki, address, tmp_path / "few", shiori.alice) as kyouko:
        await kyouko.create_network()
        async with kyouko.stream() as one, kyouko.stream() as two:
            await one.opened()
            await two.opened()
            async with kyouko.stream() as three:
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await three.opened()
            async with kyouko.stream(metadata=bob) as another:
                await another.opened()
            await one.close()
            await one.call.code()
            async with kyouko.stream() as again:
                await again.opened()

    info = info_of(refused.value)
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is refused.value.code()
    assert ("QUOTA_EXCEEDED", "2") == (info.reason, info.metadata["limit"])


async def test_a_stream_that_asks_gets_scores(kyouko: RunningKyouko) -> None:
    """Figures beside baselines, an anomaly score for each row, sets of labels; others get none."""
    await kyouko.create_network()
    inputs, labels = rows_of_two_kinds(300)
    asked = pb.LearnScoring(
        metrics=True,
        drift=pb.DriftOptions(),
        anomaly=pb.AnomalyOptions(),
        intervals=pb.IntervalOptions(coverage=0.9),
    )

    async with kyouko.stream(scoring=asked) as stream:
        await stream.opened()
        await stream.send(1, inputs, labels)
        scored = (await result_of(stream)).scores
    async with kyouko.stream() as stream:
        await stream.opened()
        await stream.send(1, inputs, labels)
        plain = await result_of(stream)

    figures = scored.classes.total
    assert (300, 300) == (scored.scored_rows, figures.rows)
    assert figures.network.accuracy > figures.majority_class.accuracy
    assert [300] == list(scored.anomaly.scores.shape)
    assert scored.HasField("sets")
    assert not plain.HasField("scores")
