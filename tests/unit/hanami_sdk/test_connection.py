"""How calls are made: addresses, retries, request ids, tokens."""

import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Sequence
from typing import Any

import grpc
import pytest
from hanami.kyouko.v1 import network_service_pb2 as pb

from hanami_sdk.connection import Connection, ConnectionOptions, parse_url
from hanami_sdk.errors import InvalidArgument, NotFound, Unauthenticated, Unavailable
from hanami_sdk.quota_warnings import QuotaWarning
from hanami_sdk.retries import RetryPolicy
from hanami_sdk.sessions import Tokens

QUICK = RetryPolicy(attempts=3, first_delay=0.0, longest_delay=0.0)


class Call:
    """A call under way, and what comes with its answer."""

    trailers: Sequence[tuple[str, str]] = ()

    def __init__(self, answer: Coroutine[Any, Any, pb.Network]) -> None:
        self._answer = answer

    def __await__(self) -> Generator[Any, Any, pb.Network]:
        """Wait for the answer."""
        return self._answer.__await__()

    async def trailing_metadata(self) -> Sequence[tuple[str, str]]:
        """Return what came with it."""
        return self.trailers


class Method:
    """A unary method that fails in a given way some times, then answers."""

    def __init__(self, *failures: grpc.StatusCode) -> None:
        self._failures = list(failures)
        self.requests: list[Any] = []
        self.metadata: list[dict[str, str]] = []

    def __call__(self, request: Any, *, timeout: float, metadata: list[tuple[str, str]]) -> Any:
        """Make the call."""
        copy = type(request)()
        copy.CopyFrom(request)
        self.requests.append(copy)
        self.metadata.append(dict(metadata))
        return Call(self._answer())

    async def _answer(self) -> pb.Network:
        if self._failures:
            code = self._failures.pop(0)
            raise grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details="")
        return pb.Network(name="projects/p1/networks/n1")


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    """Return a connection that is never used to reach anybody."""
    made = Connection(ConnectionOptions("http://127.0.0.1:9", retries=QUICK))
    yield made
    await made.close()


def tokens(number: int) -> Tokens:
    """Return tokens that last."""
    return Tokens(f"access-{number}", 9e9, f"refresh-{number}", 9e9, "users/alice")


@pytest.mark.parametrize(
    ("url", "target", "secure"),
    [
        ("http://127.0.0.1:1337", "127.0.0.1:1337", False),
        ("https://mesh.example.org", "mesh.example.org:443", True),
        ("https://mesh.example.org:8443/", "mesh.example.org:8443", True),
        ("http://[::1]:1337", "[::1]:1337", False),
        ("localhost:1337", "localhost:1337", False),
    ],
)
def test_urls_say_where_and_whether_tls_is_spoken(url: str, target: str, secure: bool) -> None:
    """The scheme decides about TLS; ports have the usual defaults."""
    assert parse_url(url) == (target, secure)


@pytest.mark.parametrize(
    "url", ["ftp://mesh", "http://", "http://mesh:99999", "http://mesh/path", ""]
)
def test_urls_that_lead_nowhere_are_refused(url: str) -> None:
    """A mistake in the URL is told as such, not as a broken connection."""
    with pytest.raises(InvalidArgument):
        parse_url(url)


async def test_an_unavailable_service_is_asked_again(connection: Connection) -> None:
    """A short outage does not reach the caller."""
    method = Method(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE)

    network = await connection.unary(method, pb.GetNetworkRequest(), pb.Network)

    assert network.name == "projects/p1/networks/n1"
    assert len(method.requests) == 3


async def test_retries_end(connection: Connection) -> None:
    """An outage that lasts is told after the last attempt."""
    method = Method(*[grpc.StatusCode.UNAVAILABLE] * 5)

    with pytest.raises(Unavailable):
        await connection.unary(method, pb.GetNetworkRequest(), pb.Network)
    assert len(method.requests) == 3


async def test_a_final_error_is_told_at_once(connection: Connection) -> None:
    """What would fail again is not repeated."""
    method = Method(grpc.StatusCode.NOT_FOUND)

    with pytest.raises(NotFound):
        await connection.unary(method, pb.GetNetworkRequest(), pb.Network)
    assert len(method.requests) == 1


async def test_repeated_calls_carry_one_request_id(connection: Connection) -> None:
    """A call that changes something can be repeated without doing it twice."""
    method = Method(grpc.StatusCode.UNAVAILABLE)

    await connection.unary(method, pb.CreateNetworkRequest(network_id="n1"), pb.Network)

    first, second = (request.request_id for request in method.requests)
    assert first == second
    assert uuid.UUID(first).version == 4


async def test_the_callers_own_request_id_is_kept(connection: Connection) -> None:
    """An application may repeat a call across its own restarts."""
    method, own = Method(), str(uuid.uuid4())

    await connection.unary(method, pb.CreateNetworkRequest(request_id=own), pb.Network)

    assert [request.request_id for request in method.requests] == [own]


async def test_the_token_goes_with_every_call(connection: Connection) -> None:
    """Calls are made as the user who is logged in."""
    connection.session.use_tokens(tokens(1))
    method = Method()

    await connection.unary(method, pb.GetNetworkRequest(), pb.Network)

    assert method.metadata[0]["authorization"] == "Bearer access-1"


async def test_a_refused_token_is_renewed_and_the_call_repeated(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mesh that forgot a token costs one more call, not an error."""
    renew = _refresh_giving(tokens(2))
    monkeypatch.setattr(connection.session, "_refresh", renew)
    connection.session.use_tokens(tokens(1))
    method = Method(grpc.StatusCode.UNAUTHENTICATED)

    await connection.unary(method, pb.GetNetworkRequest(), pb.Network)

    sent = [metadata["authorization"] for metadata in method.metadata]
    assert sent == ["Bearer access-1", "Bearer access-2"]


async def test_a_second_refusal_is_final(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renewing does not go round in circles."""
    monkeypatch.setattr(connection.session, "_refresh", _refresh_giving(tokens(2)))
    connection.session.use_tokens(tokens(1))
    method = Method(*[grpc.StatusCode.UNAUTHENTICATED] * 5)

    with pytest.raises(Unauthenticated):
        await connection.unary(method, pb.GetNetworkRequest(), pb.Network)
    assert len(method.requests) == 2


async def test_nobody_who_is_refused_gets_the_refusal(connection: Connection) -> None:
    """Without a login the mesh's own words reach the caller."""
    method = Method(grpc.StatusCode.UNAUTHENTICATED)

    with pytest.raises(Unauthenticated):
        await connection.unary(method, pb.GetNetworkRequest(), pb.Network)
    assert len(method.requests) == 1


def _refresh_giving(pair: Tokens) -> Callable[[Tokens, str], Any]:
    async def refresh(_: Tokens, project: str) -> Tokens:
        return pair

    return refresh


async def test_quotas_nearly_used_up_are_warned_of(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a service says beside an answer becomes a warning; the answer comes all the same."""
    connection.session.use_tokens(tokens(1))
    said = ("hanami-quota-warning", "projects/p1 has 4 of 5 networks")
    monkeypatch.setattr(Call, "trailers", [("other", "x"), said])

    with pytest.warns(QuotaWarning, match="4 of 5 networks") as warned:
        network = await connection.unary(Method(), pb.GetNetworkRequest(), pb.Network)

    assert ("projects/p1/networks/n1", 1) == (network.name, len(warned))
