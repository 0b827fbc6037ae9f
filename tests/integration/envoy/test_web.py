"""What browsers and JSON clients find at the gateway."""

import base64

import httpx
import pytest
from google.rpc import code_pb2, status_pb2
from hanami.torii.v1 import mesh_service_pb2
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from mesh.status import error_info
from tests.integration.envoy.conftest import Gateway

MESH_STATUS = "/hanami.torii.v1.MeshService/GetMeshStatus"
EMPTY_FRAME = b"\x00\x00\x00\x00\x00"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-grpc-web,x-user-agent",
}


def test_get_becomes_a_call(gateway: Gateway, web: httpx.Client) -> None:
    """A GET of a REST path is answered by the gRPC method behind it, as JSON."""
    answer = web.get("/v1/mesh", headers={"authorization": gateway.bearer()})

    expected = {
        "version": "9.9.9",
        "services": [{"service": "kyouko", "health": "HEALTH_SERVING"}],
    }
    assert expected == answer.json()


def test_json_has_default_values_and_field_names_of_the_contract(
    gateway: Gateway, web: httpx.Client
) -> None:
    """Fields at their default are written, and names stay as the contract has them."""
    answer = web.get("/v1/projects/p1/networks/n1", headers={"authorization": gateway.bearer()})

    assert ("projects/p1/networks/n1", "0") == (answer.json()["name"], answer.json()["kept_rows"])


def test_unknown_query_parameter_is_named(gateway: Gateway, web: httpx.Client) -> None:
    """A query parameter that the request does not have is refused by its name."""
    answer = web.get("/v1/mesh?colour=red", headers={"authorization": gateway.bearer()})

    assert (400, 3) == (answer.status_code, answer.json()["code"])
    assert "colour" in answer.json()["message"]


def test_malformed_json_is_refused_as_json(web: httpx.Client) -> None:
    """A body that is no JSON gets 400 and a status as JSON."""
    answer = web.post("/v1/tokens:login", content=b'{"user_id": ')

    assert (400, 3) == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/projects/p1/nothing/n1"])
def test_unknown_resource_is_not_found_as_json(web: httpx.Client, path: str) -> None:
    """An unknown REST path gets 404 and a status as JSON, not a page."""
    answer = web.get(path)

    assert (404, 5) == (answer.status_code, answer.json()["code"])


def test_call_without_grpc_content_is_told_so(gateway: Gateway, web: httpx.Client) -> None:
    """A POST of JSON to a gRPC path gets 415 and a sentence."""
    answer = web.post(MESH_STATUS, json={}, headers={"authorization": gateway.bearer()})

    assert 415 == answer.status_code
    assert "gRPC" in answer.json()["message"]


def test_service_that_is_away_is_unavailable_as_json(gateway: Gateway, web: httpx.Client) -> None:
    """A REST call to a service that does not run gets 503 and a reason."""
    answer = web.get("/v1/machine", headers={"authorization": gateway.bearer()})

    assert 503 == answer.status_code
    assert "DEPENDENCY_UNAVAILABLE" == answer.json()["details"][0]["reason"]


def test_everything_else_is_a_page(web: httpx.Client) -> None:
    """A path that is no call is answered by the pages, without a token."""
    assert "the start page" in web.get("/anything").text


@pytest.mark.parametrize("path", [MESH_STATUS, "/v1/mesh", "/v1/projects/p1/networks"])
def test_preflight_of_a_local_page_is_allowed(web: httpx.Client, path: str) -> None:
    """A page on localhost may call, and may read the gRPC status."""
    answer = web.options(path, headers={"origin": "http://localhost:5173", **PREFLIGHT})

    assert 200 == answer.status_code
    assert "http://localhost:5173" == answer.headers["access-control-allow-origin"]
    assert (
        "grpc-status, grpc-message, grpc-status-details-bin"
        == answer.headers["access-control-expose-headers"]
    )


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost.evil.example", "http://localhost:1:2"]
)
def test_preflight_of_a_foreign_page_is_not_allowed(web: httpx.Client, origin: str) -> None:
    """A page of another origin gets no permission."""
    answer = web.options(MESH_STATUS, headers={"origin": origin, **PREFLIGHT})

    assert "access-control-allow-origin" not in answer.headers


def test_refusal_can_be_read_by_a_local_page(web: httpx.Client) -> None:
    """A local page sees why its REST call was refused."""
    answer = web.get("/v1/mesh", headers={"origin": "http://localhost:5173"})

    assert 401 == answer.status_code
    assert "http://localhost:5173" == answer.headers["access-control-allow-origin"]


def test_grpc_web_call_is_answered(gateway: Gateway, web: httpx.Client) -> None:
    """A grpc-web call gets its message and its trailers in the body."""
    answer = web.post(
        MESH_STATUS,
        content=EMPTY_FRAME,
        headers={
            "content-type": "application/grpc-web+proto",
            "x-grpc-web": "1",
            "authorization": gateway.bearer(),
        },
    )

    length = int.from_bytes(answer.content[1:5], "big")
    message = mesh_service_pb2.MeshStatus.FromString(answer.content[5 : 5 + length])
    assert "9.9.9" == message.version
    assert b"grpc-status:0" in answer.content[5 + length :]


def test_grpc_web_text_call_is_answered(gateway: Gateway, web: httpx.Client) -> None:
    """A grpc-web call in base64, as some browsers' libraries send it, is answered."""
    answer = web.post(
        MESH_STATUS,
        content=base64.b64encode(EMPTY_FRAME),
        headers={
            "content-type": "application/grpc-web-text",
            "accept": "application/grpc-web-text",
            "authorization": gateway.bearer(),
        },
    )

    assert b"9.9.9" in base64.b64decode(answer.content[:44] + b"==")


def test_grpc_web_call_without_token_is_unauthenticated(web: httpx.Client) -> None:
    """A grpc-web call without a token gets the gRPC status UNAUTHENTICATED."""
    answer = web.post(
        MESH_STATUS,
        content=EMPTY_FRAME,
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1"},
    )

    assert "16" == answer.headers["grpc-status"]


def test_websocket_with_a_token_in_the_sub_protocol_opens(gateway: Gateway) -> None:
    """A browser's websocket, its token in the sub-protocols, is opened and echoes."""
    token = gateway.backends.signer.token()
    url = f"ws://{gateway.address}/v1/learn"

    with connect(url, subprotocols=["hanami.v1", f"bearer.{token}"], compression=None) as socket:
        socket.send(b"\x00\xff")
        answer = socket.recv(timeout=10)

    assert b"\x00\xff" == answer


def test_websocket_without_token_is_left_to_the_service(gateway: Gateway) -> None:
    """A websocket without a token is opened: its first message brings one."""
    url = f"ws://{gateway.address}/v1/learn"

    with connect(url, subprotocols=["hanami.v1"], compression=None) as socket:
        assert "hanami.v1" == socket.subprotocol


def test_websocket_with_an_expired_token_is_refused(gateway: Gateway) -> None:
    """A websocket with an expired token is refused before it reaches the service."""
    token = gateway.backends.signer.token(exp=1)

    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://{gateway.address}/v1/learn", subprotocols=["hanami.v1", f"bearer.{token}"])

    assert 401 == caught.value.response.status_code


def test_websocket_elsewhere_is_refused(gateway: Gateway) -> None:
    """Only one path can become a websocket."""
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://{gateway.address}/elsewhere")

    assert 403 == caught.value.response.status_code


@pytest.mark.parametrize("verb", ["GET", "PUT"])
def test_calls_are_made_with_post(gateway: Gateway, web: httpx.Client, verb: str) -> None:
    """A call by another verb is refused here: a service would end the connection."""
    headers = {"content-type": "application/grpc", "authorization": gateway.bearer()}

    answer = web.request(verb, MESH_STATUS, headers=headers)

    assert "3" == answer.headers["grpc-status"]
    assert "gRPC calls are made with POST" == answer.headers["grpc-message"]


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [("POST", "/nothing", 404), ("PUT", "/", 404), ("GET", "/é", 404), ("POST", "/é", 404)],
)
def test_strangers_cannot_send_torii_away(
    web: httpx.Client, verb: str, path: str, status: int
) -> None:
    """What the web server cannot read does not reach it, and pages go on to be served."""
    answers = {web.request(verb, path).status_code for _ in range(20)}

    assert status in answers or answers <= {200}
    assert 200 == web.get("/").status_code


def test_text_that_is_no_base64_is_the_fault_of_its_sender(
    gateway: Gateway, web: httpx.Client
) -> None:
    """gRPC-web that cannot be read is a bad request, and its details say so."""
    headers = {
        "content-type": "application/grpc-web-text",
        "authorization": gateway.bearer(),
    }

    answer = web.post(MESH_STATUS, content=b"\x00\xff not base64", headers=headers)

    details = answer.headers["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
    assert (400, code_pb2.INVALID_ARGUMENT) == (answer.status_code, status.code)
    assert "MESSAGE_MALFORMED" == error_info(status).reason
