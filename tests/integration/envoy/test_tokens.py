"""The gateway's token check: who comes in, and what the others are told."""

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hanami.misaki.v1 import token_service_pb2, token_service_pb2_grpc
from hanami.torii.v1 import mesh_service_pb2, mesh_service_pb2_grpc

from tests.integration.envoy.backends import Signer
from tests.integration.envoy.conftest import Gateway


def ask(
    channel: grpc.Channel, metadata: list[tuple[str, str]] | None
) -> mesh_service_pb2.MeshStatus:
    """Call a method that needs a token."""
    stub = mesh_service_pb2_grpc.MeshServiceStub(channel)
    return stub.GetMeshStatus(
        mesh_service_pb2.GetMeshStatusRequest(), metadata=metadata, timeout=10
    )


def refusal(channel: grpc.Channel, authorization: str | None) -> grpc.RpcError:
    """Return the error that a call with this header ends in."""
    metadata = [("authorization", authorization)] if authorization is not None else None
    with pytest.raises(grpc.RpcError) as caught:
        ask(channel, metadata)
    return caught.value


def test_good_token_passes_and_reaches_the_service(
    gateway: Gateway, channel: grpc.Channel, good_metadata: list[tuple[str, str]]
) -> None:
    """A call with a good token is answered by the service, which gets the token too."""
    answer = ask(channel, good_metadata)

    assert "9.9.9" == answer.version
    assert good_metadata[0][1] == gateway.backends.mesh.metadata["authorization"]


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"exp": 1}, id="expired"),
        pytest.param({"aud": "another-mesh"}, id="foreign-audience"),
        pytest.param({"iss": "somebody"}, id="foreign-issuer"),
        pytest.param({"nbf": 32_503_680_000}, id="not-yet-valid"),
    ],
)
def test_unfit_token_is_unauthenticated(
    gateway: Gateway, channel: grpc.Channel, claims: dict[str, object]
) -> None:
    """A token with a good signature and an unfit claim ends in UNAUTHENTICATED."""
    error = refusal(channel, gateway.bearer(**claims))

    assert grpc.StatusCode.UNAUTHENTICATED == error.code()


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer junk", "Basic YTpi"])
def test_missing_or_malformed_token_is_unauthenticated(
    channel: grpc.Channel, authorization: str | None
) -> None:
    """A call without a readable token ends in UNAUTHENTICATED."""
    error = refusal(channel, authorization)

    assert grpc.StatusCode.UNAUTHENTICATED == error.code()


def test_token_of_another_key_is_unauthenticated(channel: grpc.Channel) -> None:
    """A token that somebody else signed under the same key id ends in UNAUTHENTICATED."""
    error = refusal(channel, f"Bearer {Signer().token()}")

    assert grpc.StatusCode.UNAUTHENTICATED == error.code()


def test_refusal_carries_the_same_details_as_a_service_gives(channel: grpc.Channel) -> None:
    """The refused call carries a rich status with the reason TOKEN_INVALID."""
    error = refusal(channel, None)

    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert ("TOKEN_INVALID", "hanami.dev") == (info.reason, info.domain)


def test_public_method_needs_no_token(channel: grpc.Channel) -> None:
    """A method that the contracts call public is reached without a token."""
    stub = token_service_pb2_grpc.TokenServiceStub(channel)

    answer = stub.Login(
        token_service_pb2.LoginRequest(user_id="alice", password="secret"), timeout=10
    )

    assert "users/alice" == answer.user


@pytest.mark.parametrize("with_token", [True, False])
def test_service_tokens_are_not_given_out_here(
    channel: grpc.Channel, good_metadata: list[tuple[str, str]], with_token: bool
) -> None:
    """A method for services of the mesh only looks like one that does not exist."""
    stub = token_service_pb2_grpc.TokenServiceStub(channel)
    request = token_service_pb2.IssueServiceTokenRequest(service="kyouko", secret="guessed")

    with pytest.raises(grpc.RpcError) as caught:
        stub.IssueServiceToken(request, metadata=good_metadata if with_token else None, timeout=10)

    assert grpc.StatusCode.UNIMPLEMENTED == caught.value.code()


def test_token_with_many_roles_passes(
    gateway: Gateway, channel: grpc.Channel, web: httpx.Client
) -> None:
    """The largest token that misaki makes comes through as gRPC and as JSON."""
    roles = {f"{number:03}-{'x' * 59}": "PROJECT_ADMIN" for number in range(256)}
    token = gateway.bearer(roles=roles)

    answer = ask(channel, [("authorization", token)])
    response = web.get("/v1/mesh", headers={"authorization": token})

    assert "9.9.9" == answer.version
    assert 200 == response.status_code


def test_rest_call_without_token_gets_json(web: httpx.Client) -> None:
    """A JSON client without a token gets 401 and a status as JSON."""
    answer = web.get("/v1/mesh")

    assert 401 == answer.status_code
    assert (16, "TOKEN_INVALID") == (answer.json()["code"], answer.json()["details"][0]["reason"])


def test_token_in_the_url_is_refused(gateway: Gateway, web: httpx.Client) -> None:
    """A token in a query parameter does not log anybody in."""
    answer = web.get("/v1/mesh", params={"access_token": gateway.backends.signer.token()})

    assert 400 == answer.status_code


def test_keys_are_public(gateway: Gateway, web: httpx.Client) -> None:
    """Everybody can read the keys at their well-known place."""
    answer = web.get("/.well-known/jwks.json")

    assert [gateway.backends.signer.public_key().x] == [key["x"] for key in answer.json()["keys"]]
