"""Errors of every kind of call, as a client sees them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from hanami.kyouko.v1 import learning_service_pb2, task_service_pb2
from structlog.testing import capture_logs

from mesh.errors import InvalidArgument, NotFound
from tests.integration.mesh.garden import USER, Garden, planted
from tests.integration.statuses import Refusal, refusal

SECRET = "password=hunter2"


def _is_incident(answer: Refusal) -> bool:
    return (grpc.StatusCode.INTERNAL, "INTERNAL", {"incident"}) == (
        answer.code,
        answer.reason,
        set(answer.metadata),
    )


async def test_domain_error_of_a_unary_call_arrives() -> None:
    """Code, reason, sentence and metadata are those of the domain."""

    async def fail(_: Any) -> Any:
        raise NotFound("users/alice")

    async with planted(Garden(unary=fail)) as garden:
        answer = await refusal(garden.get_user())

    assert (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND") == (answer.code, answer.reason)
    assert {"resource": "users/alice"} == answer.metadata


async def test_unexpected_error_tells_an_incident_and_no_more() -> None:
    """What happened stays in the log, under the id that the client got."""

    async def fail(_: Any) -> Any:
        raise RuntimeError(SECRET)

    with capture_logs() as logs:
        async with planted(Garden(unary=fail)) as garden:
            answer = await refusal(garden.get_user())

    (entry,) = [log for log in logs if log["event"] == "unexpected error"]
    assert _is_incident(answer)
    assert SECRET not in repr(answer)
    assert answer.metadata["incident"] == entry["incident"]
    assert SECRET in entry["error"]


async def test_error_amid_a_stream_comes_after_what_was_sent() -> None:
    """Answers before the error arrive; the stream ends with the rich status."""

    async def stream(_: Any) -> AsyncIterator[Any]:
        yield task_service_pb2.Task(name="first")
        raise InvalidArgument("no more", reason="FIELD_INVALID")

    async with planted(Garden(stream=stream)) as garden:
        call = garden.watch_task()
        first = await call.read()
        answer = await refusal(call.read())

    assert "first" == first.name
    assert (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID") == (answer.code, answer.reason)


async def test_unexpected_error_of_a_two_way_stream_is_an_incident() -> None:
    """Streams leak as little as unary calls."""

    async def two_way(requests: Any) -> AsyncIterator[Any]:
        async for _ in requests:
            yield learning_service_pb2.LearnResponse()
            raise RuntimeError(SECRET)

    async with planted(Garden(two_way=two_way)) as garden:
        call = garden.learn()
        await call.write(learning_service_pb2.LearnRequest())
        await call.read()
        answer = await refusal(call.read())

    assert _is_incident(answer)
    assert SECRET not in repr(answer)


async def test_call_over_time_is_ended() -> None:
    """A unary call without a deadline ends at the server's limit, and so does its work."""
    cancelled = asyncio.Event()

    async def sleep(_: Any) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with planted(Garden(unary=sleep), default_timeout_seconds=0.1) as garden:
        answer = await refusal(garden.get_user())

    assert (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED") == (
        answer.code,
        answer.reason,
    )
    assert {"timeout_seconds": "0.1"} == answer.metadata
    assert cancelled.is_set()


async def test_clients_deadline_ends_the_work() -> None:
    """When the client's own deadline passes, the handler does not go on in vain."""
    cancelled = asyncio.Event()

    async def sleep(_: Any) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with planted(Garden(unary=sleep)) as garden:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await garden.get_user(timeout=1)
        async with asyncio.timeout(30):
            await cancelled.wait()

    assert grpc.StatusCode.DEADLINE_EXCEEDED == caught.value.code()


async def test_streams_outlast_the_limit_of_unary_calls() -> None:
    """A stream may last as long as it likes."""

    async def stream(_: Any) -> AsyncIterator[Any]:
        await asyncio.sleep(0.3)
        yield task_service_pb2.Task(name="late")

    async with planted(Garden(stream=stream), default_timeout_seconds=0.1) as garden:
        task = await garden.watch_task().read()

    assert "late" == task.name


async def test_timeout_inside_a_handler_is_a_mistake_of_ours() -> None:
    """A TimeoutError of something the handler waits for is not the call's deadline."""

    async def fail(_: Any) -> Any:
        raise TimeoutError(SECRET)

    async with planted(Garden(unary=fail)) as garden:
        answer = await refusal(garden.get_user())

    assert _is_incident(answer)


async def test_oversize_message_is_refused_and_the_server_goes_on() -> None:
    """A message above the limit is RESOURCE_EXHAUSTED; the next call works."""
    async with planted(max_message_bytes=2**16) as garden:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await garden.get_user("users/" + "a" * 2**20)
        answer = await garden.get_user()

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == caught.value.code()
    assert [("GetUser", USER)] == [(call, answer) for call in garden.garden.calls]


async def test_oversize_frame_ends_its_stream_only() -> None:
    """A frame above the limit ends the stream with RESOURCE_EXHAUSTED; a new one works."""
    frame = learning_service_pb2.LearnRequest()
    frame.frame.inputs.packed = b"x" * 2**20

    async with planted(max_message_bytes=2**16) as garden:
        call = garden.learn()
        await call.write(frame)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        again = garden.learn()
        await again.write(learning_service_pb2.LearnRequest())
        answer = await again.read()

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == caught.value.code()
    assert learning_service_pb2.LearnResponse() == answer


async def test_endless_error_still_arrives() -> None:
    """An error with megabytes of text reaches the client as itself, shortened."""

    async def fail(_: Any) -> Any:
        raise InvalidArgument.for_field("name", "x" * 10**6, metadata={"value": "y" * 10**6})

    async with planted(Garden(unary=fail)) as garden:
        answer = await refusal(garden.get_user())

    assert (grpc.StatusCode.INVALID_ARGUMENT, ("name",)) == (answer.code, answer.fields)


async def test_unknown_method_is_unimplemented() -> None:
    """A path that no contract knows is UNIMPLEMENTED."""
    async with planted() as garden:
        call: Any = garden.channel.unary_unary("/hanami.misaki.v1.UserService/BecomeAdmin")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"")

    assert grpc.StatusCode.UNIMPLEMENTED == caught.value.code()
