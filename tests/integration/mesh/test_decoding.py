"""Bytes that are no message of the contract, in every kind of call."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from tests.integration.mesh.garden import Garden, planted
from tests.integration.statuses import Refusal, refusal

UNARY = "/hanami.misaki.v1.UserService/GetUser"
ANSWERS = "/hanami.kyouko.v1.TaskService/WatchTask"
UPLOAD = "/hanami.shiori.v1.DatasetService/UploadDataset"
TWO_WAY = "/hanami.kyouko.v1.LearningService/Learn"
# No field, an end that is missing, and text that is not UTF-8.
DAMAGE = (b"\xff\xff\xff", b"\x0a\x7f", b"\x0a\x02\xff\xfe", b"\x0b" * 50_000)


async def ending_of(
    channel: grpc.aio.Channel, path: str, data: bytes | None, metadata: Any = None
) -> Refusal:
    """Send bytes on a call, or no message at all, and return how it was refused."""
    call: Any = channel.stream_stream(path)(metadata=metadata, timeout=20)

    async def ended() -> None:
        if data is not None:
            await call.write(data)
        await call.done_writing()
        while await call.read() is not grpc.aio.EOF:
            pass
        if await call.code() != grpc.StatusCode.OK:
            raise grpc.aio.AioRpcError(
                await call.code(),
                await call.initial_metadata(),
                await call.trailing_metadata(),
                await call.details(),
            )

    return await refusal(ended())


@pytest.mark.parametrize("data", DAMAGE)
@pytest.mark.parametrize("path", [UNARY, ANSWERS, UPLOAD, TWO_WAY])
async def test_what_is_no_message_is_refused(path: str, data: bytes) -> None:
    """The caller learns what was wrong and nothing of our insides, the log of no mistake."""
    with capture_logs() as logs:
        async with planted(Garden()) as garden:
            answer = await ending_of(garden.channel, path, data, garden.alice())

    assert (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_MALFORMED") == (answer.code, answer.reason)
    assert "DecodeError" not in repr(answer)
    assert [] == [log for log in logs if log["log_level"] == "error"]


@pytest.mark.parametrize("path", [UNARY, ANSWERS])
async def test_a_message_that_does_not_come_is_missed(path: str) -> None:
    """A call that ends before its one message is answered, at once."""
    async with planted(Garden()) as garden:
        answer = await ending_of(garden.channel, path, None, garden.alice())

    assert (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_MALFORMED") == (answer.code, answer.reason)


@pytest.mark.parametrize("path", [UNARY, ANSWERS])
async def test_a_message_is_not_waited_for_without_end(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opens a call and sends nothing holds no call open for long."""
    monkeypatch.setattr("mesh.interceptors.decoding._PATIENCE_SECONDS", 0.1)

    async with planted(Garden()) as garden:
        call: Any = garden.channel.stream_stream(path)(metadata=garden.alice(), timeout=20)
        await call.wait_for_connection()
        code = await call.code()

    assert grpc.StatusCode.INVALID_ARGUMENT == code


@pytest.mark.parametrize("path", [UNARY, ANSWERS, UPLOAD, TWO_WAY])
async def test_strangers_are_asked_for_a_token_first(path: str) -> None:
    """Who has no token learns nothing about the contract either."""
    async with planted(Garden()) as garden:
        answer = await ending_of(garden.channel, path, DAMAGE[0])

    assert (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID") == (answer.code, answer.reason)


async def test_good_messages_before_the_damage_count() -> None:
    """A stream is served up to the message that is none."""
    seen: list[Any] = []

    async def collect(requests: AsyncIterator[Any]) -> Any:
        async for request in requests:
            seen.append(request)

    async with planted(Garden(upload=collect)) as garden:
        call: Any = garden.channel.stream_stream(UPLOAD)(metadata=garden.alice())
        await call.write(b"\x12\x00")
        await call.write(DAMAGE[0])
        code = await call.code()

    assert (grpc.StatusCode.INVALID_ARGUMENT, 1) == (code, len(seen))
