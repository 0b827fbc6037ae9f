"""Learning over a websocket: from the handshake to the close, with all that can go wrong."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import pytest
from google.rpc import code_pb2
from hanami.kyouko.v1 import learning_service_pb2 as pb
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from mesh import status, tokens
from tests.integration.meshes import RunningMisaki, start_misaki
from tests.integration.torii.doors import (
    NOWHERE,
    Ending,
    RunningTorii,
    answer,
    authentication,
    closing,
    ending,
    frame,
    opening,
    start_torii,
)
from tests.integration.torii.echo import MISSING_NETWORK, NETWORK, RunningEcho


def reason_of(end: Ending) -> str:
    """Return the reason in the fault that a websocket ended with."""
    assert end.fault is not None
    assert not end.fault.HasField("sequence")
    return str(status.error_info(end.fault.status).reason)


async def learn(socket: ClientConnection, frames: int = 3) -> list[pb.LearnResponse]:
    """Speak a whole stream, and return the answers."""
    await socket.send(opening(NETWORK))
    for sequence in range(1, frames + 1):
        await socket.send(frame(sequence))
    await socket.send(closing())
    return [await answer(socket) for _ in range(frames + 2)]


async def test_a_whole_stream_by_subprotocol(torii: RunningTorii, echo: RunningEcho) -> None:
    """A browser's way: the token is a sub-protocol, and every message one frame."""
    async with torii.websocket(token=await torii.token()) as socket:
        answers = await learn(socket)
        end = await ending(socket)

    kinds = [response.WhichOneof("message") for response in answers]
    assert ["opened", "result", "result", "result", "closed"] == kinds
    assert [1, 2, 3] == [response.result.sequence for response in answers[1:4]]
    assert answers[1].result.outputs.packed == bytes(range(6))
    assert socket.subprotocol == "hanami.v1"
    assert end == Ending(None, 1000, "")
    assert echo.seen.callers == ["users/root"]


async def test_a_token_in_the_first_message(torii: RunningTorii, echo: RunningEcho) -> None:
    """Clients that cannot choose sub-protocols prove themselves in the first message."""
    async with torii.websocket() as socket:
        await socket.send(authentication(await torii.token()))
        answers = await learn(socket)

    assert ["opened", "closed"] == [answers[i].WhichOneof("message") for i in (0, -1)]
    assert echo.seen.callers == ["users/root"]


async def test_a_token_in_the_authorization_header(torii: RunningTorii) -> None:
    """Programs may send the header that they send everywhere."""
    headers = {"Authorization": f"Bearer {await torii.token()}"}

    async with torii.websocket(additional_headers=headers) as socket:
        answers = await learn(socket)

    assert answers[-1].WhichOneof("message") == "closed"


async def test_later_tokens_go_to_kyouko(torii: RunningTorii) -> None:
    """Renewing the token in a running stream is kyouko's business."""
    token = await torii.token()
    async with torii.websocket(token=token) as socket:
        await socket.send(opening(NETWORK))
        await socket.send(authentication(token))

        answers = [await answer(socket), await answer(socket)]

    assert ["opened", "progress"] == [response.WhichOneof("message") for response in answers]


async def test_no_token_at_all(torii: RunningTorii, echo: RunningEcho) -> None:
    """Without a token nothing reaches kyouko."""
    async with torii.websocket() as socket:
        await socket.send(opening(NETWORK))
        end = await ending(socket)

    assert end.code == 4000 + code_pb2.UNAUTHENTICATED
    assert reason_of(end) == "TOKEN_INVALID"
    assert "missing" in end.reason
    assert echo.seen.callers == []


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
async def test_a_token_that_is_none(torii: RunningTorii, token: str) -> None:
    """Nonsense in the token's place is refused before the first message."""
    async with torii.websocket(token=token) as socket:
        end = await ending(socket)

    assert end.code == 4016
    assert reason_of(end) == "TOKEN_INVALID"


async def test_an_expired_token(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token whose time is over opens nothing, wherever it stands."""
    monkeypatch.setattr(tokens, "LEEWAY_SECONDS", 0)
    folder = tmp_path_factory.mktemp("short-lived")
    async with (
        start_misaki(folder, access_token_seconds=1) as short_lived,
        start_torii(short_lived) as door,
    ):
        token = (await short_lived.log_in()).access_token
        await asyncio.sleep(2.1)
        async with door.websocket(token=token) as socket:
            by_subprotocol = await ending(socket)
        async with door.websocket() as socket:
            await socket.send(authentication(token))
            by_message = await ending(socket)

    assert (4016, 4016) == (by_subprotocol.code, by_message.code)
    assert "expired" in by_subprotocol.reason
    assert by_message.fault == by_subprotocol.fault


async def test_a_foreign_token(
    torii: RunningTorii, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A token of another mesh is not valid here, though it is well formed."""
    async with start_misaki(tmp_path_factory.mktemp("foreign")) as foreign:
        token = (await foreign.log_in()).access_token
    async with torii.websocket(token=token) as socket:
        end = await ending(socket)

    assert end.code == 4016
    assert "unknown key" in end.reason


async def test_a_refresh_token_is_no_access_token(torii: RunningTorii) -> None:
    """The long-lived token renews, and does nothing else."""
    token = (await torii.misaki.log_in()).refresh_token
    async with torii.websocket(token=token) as socket:
        end = await ending(socket)

    assert end.code == 4016


async def test_a_token_in_the_url_is_refused(torii: RunningTorii, echo: RunningEcho) -> None:
    """A URL with a query is refused even beside a good token, and the reason says why."""
    token = await torii.token()
    path = f"/v1/learn?access_token={token}"
    async with torii.websocket(token=token, path=path) as socket:
        end = await ending(socket)

    assert end.code == 4003
    assert reason_of(end) == "FIELD_INVALID"
    assert "logs" in end.fault.status.message if end.fault else False
    assert echo.seen.callers == []


async def test_tokens_stay_out_of_the_log(
    torii: RunningTorii, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even the most talkative log holds no token that came with a websocket."""
    caplog.set_level(logging.DEBUG)
    token = await torii.token()
    capsys.readouterr()

    async with torii.websocket(token=token) as socket:
        await learn(socket)
    async with torii.websocket(token=token, path=f"/v1/learn?token={token}") as socket:
        await ending(socket)
    written = capsys.readouterr()

    # The client's side of the websocket lives in this process, too.
    records = [record for record in caplog.records if record.name != "websockets.client"]
    server_log = "".join(record.getMessage() for record in records)
    assert "websocket" in written.out + written.err + server_log
    assert token not in written.out + written.err + server_log


async def test_an_unknown_path(torii: RunningTorii) -> None:
    """There is one websocket only, and the answer elsewhere says so."""
    async with torii.websocket(token=await torii.token(), path="/v1/teach") as socket:
        end = await ending(socket)

    assert end.code == 4005
    assert reason_of(end) == "RESOURCE_NOT_FOUND"


async def test_subprotocols_without_ours(torii: RunningTorii) -> None:
    """A client that offers sub-protocols has to offer ours."""
    subprotocols = [f"bearer.{await torii.token()}", "mqtt"]
    async with torii.websocket(subprotocols=subprotocols) as socket:
        end = await ending(socket)

    assert end.code == 4003
    assert reason_of(end) == "STREAM_PROTOCOL"
    assert "mqtt" in str(end.fault)
    assert socket.subprotocol is None


@pytest.mark.parametrize(
    ("is_first", "message"),
    [
        *(
            (is_first, data)
            for is_first in (True, False)
            for data in (b"\xff\xff", b"", b"\x7a\x00")
        ),
        # As the first message it would be the beginning of JSON.
        (False, "hello"),
    ],
)
async def test_a_message_that_is_no_request(
    torii: RunningTorii, echo: RunningEcho, is_first: bool, message: str | bytes
) -> None:
    """Other bytes, and text after bytes, end the stream with words, at the start and later."""
    async with torii.websocket(token=await torii.token()) as socket:
        if not is_first:
            await socket.send(opening(NETWORK))
            await answer(socket)
        await socket.send(message)
        end = await ending(socket)

    assert end.code == 4003
    assert reason_of(end) == "STREAM_PROTOCOL"
    assert echo.seen.frames == 0


async def test_a_huge_message(misaki: RunningMisaki, echo: RunningEcho) -> None:
    """A message beyond the limit ends the websocket with the code made for it."""
    async with start_torii(misaki, kyouko_address=echo.address, max_message_bytes=2**16) as torii:
        async with torii.websocket(token=await torii.token()) as socket:
            await socket.send(opening(NETWORK))
            await answer(socket)
            await socket.send(bytes(2**16 + 1))
            end = await ending(socket)

        async with torii.websocket(token=await torii.token()) as socket:
            answers = await learn(socket)

    assert end.code == 1009
    assert "65536" in end.reason
    assert answers[-1].WhichOneof("message") == "closed"


async def test_kyoukos_errors_come_through(torii: RunningTorii) -> None:
    """A stream that kyouko refuses ends with kyouko's own words."""
    async with torii.websocket(token=await torii.token()) as socket:
        await socket.send(opening(MISSING_NETWORK))
        end = await ending(socket)

    assert end.code == 4005
    assert reason_of(end) == "RESOURCE_NOT_FOUND"
    assert MISSING_NETWORK in end.reason


async def test_kyouko_is_not_there(misaki: RunningMisaki) -> None:
    """Without kyouko a websocket ends at once with a reason."""
    async with (
        start_torii(misaki, kyouko_address=NOWHERE) as torii,
        torii.websocket(token=await torii.token()) as socket,
    ):
        await socket.send(opening(NETWORK))
        end = await ending(socket)

    assert end.code == 4014
    assert reason_of(end) == "DEPENDENCY_UNAVAILABLE"
    assert "kyouko" in end.reason


async def test_kyouko_goes_away(torii: RunningTorii, echo: RunningEcho) -> None:
    """A stream that kyouko drops in the middle ends with a reason, too."""
    async with torii.websocket(token=await torii.token()) as socket:
        await socket.send(opening(NETWORK))
        await answer(socket)
        await echo.server.stop(None)
        end = await ending(socket)

    assert end.code == 4014
    assert reason_of(end) == "DEPENDENCY_UNAVAILABLE"


async def test_a_client_that_leaves_frees_kyouko(torii: RunningTorii, echo: RunningEcho) -> None:
    """Closing the websocket ends kyouko's stream."""
    async with torii.websocket(token=await torii.token()) as socket:
        await socket.send(opening(NETWORK))
        await answer(socket)

    async with asyncio.timeout(30):
        await echo.seen.ended.wait()

    assert echo.seen.ended.is_set()


async def test_a_silent_client_is_let_go(misaki: RunningMisaki) -> None:
    """Who opens a websocket and says nothing does not keep it."""
    async with (
        start_torii(misaki, first_message_seconds=0.1) as torii,
        torii.websocket() as socket,
    ):
        end = await ending(socket)

    assert end.code == 4000 + code_pb2.DEADLINE_EXCEEDED
    assert reason_of(end) == "DEADLINE_EXCEEDED"


async def test_stopping_ends_streams_with_a_reason(
    misaki: RunningMisaki, echo: RunningEcho
) -> None:
    """Open and silent websockets alike learn at once that torii stops."""
    async with start_torii(misaki, kyouko_address=echo.address) as torii:
        busy = await torii.websocket(token=await torii.token())
        await busy.send(opening(NETWORK))
        await answer(busy)
        silent = await torii.websocket()
        endings = asyncio.gather(ending(busy), ending(silent))
        started = time.monotonic()
    ends = await endings

    assert [4014, 4014] == [end.code for end in ends]
    assert ["SHUTTING_DOWN", "SHUTTING_DOWN"] == [reason_of(end) for end in ends]
    assert time.monotonic() - started < 5


async def test_pages_of_other_origins_may_not_connect(misaki: RunningMisaki) -> None:
    """A browser's page connects to its own host, or comes from an allowed origin."""
    async with start_torii(misaki, allowed_origins=("https://lab.example",)) as torii:
        with pytest.raises(InvalidStatus) as caught:
            await torii.websocket(origin="https://evil.example")
        for origin in (torii.http, "https://lab.example"):
            async with torii.websocket(origin=origin) as socket:
                await socket.send(opening(NETWORK))
                assert (await ending(socket)).code == 4016

    assert caught.value.response.status_code == 403


async def test_websockets_are_limited(misaki: RunningMisaki, echo: RunningEcho) -> None:
    """The one too many is refused; when one ends, there is room again."""
    async with start_torii(misaki, kyouko_address=echo.address, max_websockets=1) as torii:
        token = await torii.token()
        async with torii.websocket(token=token) as socket:
            await socket.send(opening(NETWORK))
            await answer(socket)
            with pytest.raises(InvalidStatus) as caught:
                await torii.websocket(token=token)
        socket = await opened_in_the_end(torii, token)
        answers = await learn(socket)
        await socket.close()

    assert caught.value.response.status_code == 503
    assert answers[-1].WhichOneof("message") == "closed"


async def test_a_stranger_sends_small_messages_only(torii: RunningTorii) -> None:
    """Nobody gets megabytes into torii before a token was verified, in one frame or many."""
    ends = []
    for message in (bytes(2**16 + 1), [bytes(2**15)] * 3):
        async with torii.websocket() as socket:
            await socket.send(message)
            ends.append(await ending(socket))

    assert [1009, 1009] == [end.code for end in ends]
    assert all("65536" in end.reason for end in ends)


async def test_a_stranger_who_gets_known_may_send_more(torii: RunningTorii) -> None:
    """After a good token in the first message the limit is that of all others."""
    async with torii.websocket() as socket:
        await socket.send(authentication(await torii.token()))
        await socket.send(opening(NETWORK))
        opened = await answer(socket)
        await socket.send(frame(1, rows=64, channels=4096))
        result = await answer(socket)

    assert ["opened", "result"] == [opened.WhichOneof("message"), result.WhichOneof("message")]


async def test_a_large_message_right_after_the_handshake(torii: RunningTorii) -> None:
    """Who showed a good token in the handshake need not wait before sending much."""
    async with torii.websocket(token=await torii.token()) as socket:
        await socket.send(opening(NETWORK))
        await socket.send(frame(1, rows=64, channels=4096))
        answers = [await answer(socket), await answer(socket)]

    assert ["opened", "result"] == [response.WhichOneof("message") for response in answers]


async def test_strangers_are_few(misaki: RunningMisaki, echo: RunningEcho) -> None:
    """Clients without a token cannot take the places of those with one."""
    async with (
        start_torii(misaki, kyouko_address=echo.address, max_strangers=1) as torii,
        torii.websocket(),
    ):
        with pytest.raises(InvalidStatus) as caught:
            await torii.websocket()
        async with torii.websocket(token=await torii.token()) as socket:
            answers = await learn(socket)

    assert caught.value.response.status_code == 503
    assert answers[-1].WhichOneof("message") == "closed"


@pytest.mark.parametrize("in_handshake", [True, False])
async def test_a_user_has_a_share(
    misaki: RunningMisaki, echo: RunningEcho, in_handshake: bool
) -> None:
    """The one websocket too many of a user ends with the limit, however it was opened."""
    async with start_torii(misaki, kyouko_address=echo.address, max_websockets_each=1) as torii:
        token = await torii.token()
        async with torii.websocket(token=token) as socket:
            await socket.send(opening(NETWORK))
            await answer(socket)
            async with torii.websocket(token=token if in_handshake else None) as second:
                if not in_handshake:
                    await second.send(authentication(token))
                end = await ending(second)

    assert end.code == 4000 + code_pb2.RESOURCE_EXHAUSTED
    assert reason_of(end) == "LIMIT_REACHED"
    assert "users/root" in end.reason


async def test_what_all_hold_is_bounded(misaki: RunningMisaki, echo: RunningEcho) -> None:
    """Unfinished messages beyond the bound end the websocket with most of them, no other."""
    async with start_torii(misaki, kyouko_address=echo.address, max_held_bytes=2**20) as torii:
        token = await torii.token()
        async with torii.websocket(token=token) as modest, torii.websocket(token=token) as greedy:
            await modest.send(opening(NETWORK))
            await answer(modest)
            sending = asyncio.create_task(greedy.send(unfinished(2**21)))
            end = await ending(greedy)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await modest.send(frame(1))
            result = await answer(modest)

    assert end.code == 4000 + code_pb2.RESOURCE_EXHAUSTED
    assert reason_of(end) == "LIMIT_REACHED"
    assert result.WhichOneof("message") == "result"


async def unfinished(size: int) -> AsyncIterator[bytes]:
    """Yield the fragments of a message that never ends."""
    for _ in range(size // 2**16):
        yield bytes(2**16)
    await asyncio.Event().wait()


async def opened_in_the_end(torii: RunningTorii, token: str) -> ClientConnection:
    """Open a websocket as soon as there is room; an ended one needs a moment to be gone."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await torii.websocket(token=token)
            except InvalidStatus:
                await asyncio.sleep(0.01)


async def test_a_trace_goes_on_in_kyouko(torii: RunningTorii, echo: RunningEcho) -> None:
    """The trace of the opening request is the trace of kyouko's stream."""
    ids = RandomIdGenerator()
    trace_id = format(ids.generate_trace_id(), "032x")
    headers = {"traceparent": f"00-{trace_id}-{ids.generate_span_id():016x}-01"}

    async with torii.websocket(token=await torii.token(), additional_headers=headers) as socket:
        await learn(socket)

    assert [trace_id] == echo.seen.trace_ids


async def test_large_frames_flow_both_ways(torii: RunningTorii) -> None:
    """Megabytes pass while nobody reads for a while; nothing is lost or mixed up."""
    async with torii.websocket(token=await torii.token()) as socket:
        await socket.send(opening(NETWORK))
        await answer(socket)

        async def send_all() -> None:
            for sequence in range(1, 41):
                await socket.send(frame(sequence, rows=64, channels=4096))
            await socket.send(closing())

        sending = asyncio.create_task(send_all())
        await asyncio.sleep(0.3)
        results = [await answer(socket) for _ in range(40)]
        await sending
        end = await ending(socket)

    assert list(range(1, 41)) == [response.result.sequence for response in results]
    assert all(len(response.result.outputs.packed) == 64 * 4096 for response in results)
    assert end.code == 1000


async def test_an_answer_after_the_close_is_not_waited_for(torii: RunningTorii) -> None:
    """A closed websocket refuses to be written to; the next one works."""
    async with torii.websocket(token=await torii.token()) as socket:
        await learn(socket)
        await ending(socket)
        with pytest.raises(ConnectionClosed):
            await socket.send(frame(9))

    async with torii.websocket(token=await torii.token()) as socket:
        answers = await learn(socket)

    assert answers[-1].WhichOneof("message") == "closed"


async def test_long_headers_are_read(torii: RunningTorii) -> None:
    """A handshake with headers as long as those of a token with many roles is served."""
    headers = {"x-long": "x" * 40_000}

    async with torii.websocket(token=await torii.token(), additional_headers=headers) as socket:
        answers = await learn(socket)

    assert ["opened", "result", "result", "result", "closed"] == [
        answer.WhichOneof("message") for answer in answers
    ]
