"""grpc-web as browsers speak it, without a browser."""

import struct

import httpx
from hanami.misaki.v1 import token_service_pb2

from tests.e2e.conftest import PASSWORD, Login, RunningMesh

_PATH = "/hanami.misaki.v1.TokenService/Login"


def grpc_web(mesh: RunningMesh, path: str, message: bytes, **headers: str) -> httpx.Response:
    """Make a unary grpc-web call: one length-prefixed frame over HTTP/1.1."""
    return httpx.post(
        f"{mesh.url}{path}",
        content=struct.pack(">BI", 0, len(message)) + message,
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1", **headers},
    )


def test_login_over_grpc_web(mesh: RunningMesh, member: Login) -> None:
    """The answer is one data frame and one trailer frame with status 0."""
    request = token_service_pb2.LoginRequest(user_id=member.user_id, password=PASSWORD)

    answer = grpc_web(mesh, _PATH, request.SerializeToString())

    flag, length = struct.unpack(">BI", answer.content[:5])
    pair = token_service_pb2.TokenPair.FromString(answer.content[5 : 5 + length])
    assert (0, f"users/{member.user_id}") == (flag, pair.user)
    assert b"grpc-status:0" in answer.content[5 + length :].replace(b" ", b"")


def test_a_wrong_password_is_unauthenticated_over_grpc_web(
    mesh: RunningMesh, member: Login
) -> None:
    """The status comes in the headers that the page may read."""
    request = token_service_pb2.LoginRequest(user_id=member.user_id, password="wrong")

    answer = grpc_web(mesh, _PATH, request.SerializeToString(), origin="http://localhost:5173")

    assert "16" == answer.headers["grpc-status"]
    assert "grpc-status-details-bin" in answer.headers["access-control-expose-headers"]


def test_a_page_of_another_site_is_not_let_in(mesh: RunningMesh) -> None:
    """The preflight of a foreign origin gets no permission."""
    answer = httpx.options(
        f"{mesh.url}{_PATH}",
        headers={
            "origin": "https://elsewhere.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type,x-grpc-web",
        },
    )

    assert "access-control-allow-origin" not in answer.headers
