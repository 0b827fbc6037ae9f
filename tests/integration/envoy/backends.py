"""Small real servers behind the gateway under test: real gRPC, real keys, real websocket."""

import base64
import http
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from hanami.kyouko.v1 import (
    learning_service_pb2,
    learning_service_pb2_grpc,
    network_service_pb2,
    network_service_pb2_grpc,
)
from hanami.misaki.v1 import token_service_pb2, token_service_pb2_grpc
from hanami.shiori.v1 import dataset_service_pb2, dataset_service_pb2_grpc
from hanami.torii.v1 import mesh_service_pb2, mesh_service_pb2_grpc
from websockets.sync.server import Server, ServerConnection, serve

MAX_MESSAGE_BYTES = 17 * 1024 * 1024
MAX_METADATA_BYTES = 64 * 1024


@dataclass(frozen=True)
class Signer:
    """Signs tokens with a real Ed25519 key, as misaki does."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    key_id: str = "key-1"

    def token(self, **claims: Any) -> str:
        """Return a good access token; named claims replace the good ones."""
        now = int(time.time())
        good = {
            "iss": "hanami",
            "aud": "hanami",
            "sub": "users/alice",
            "jti": "token-1",
            "iat": now,
            "exp": now + 600,
            "typ": "access",
        }
        payload = {**good, **claims}
        return jwt.encode(payload, self.key, algorithm="EdDSA", headers={"kid": self.key_id})

    def public_key(self) -> token_service_pb2.JsonWebKey:
        """Return the key that verifies the tokens."""
        raw = self.key.public_key().public_bytes_raw()
        x = base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")
        return token_service_pb2.JsonWebKey(
            kty="OKP", crv="Ed25519", x=x, kid=self.key_id, use="sig", alg="EdDSA"
        )


class Tokens(token_service_pb2_grpc.TokenServiceServicer):
    """Publishes the signer's key, and refuses every login."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def GetJsonWebKeySet(self, request: Any, context: Any) -> token_service_pb2.JsonWebKeySet:
        """Return the public key."""
        return token_service_pb2.JsonWebKeySet(keys=[self._signer.public_key()])

    def Login(self, request: Any, context: Any) -> token_service_pb2.TokenPair:
        """Return a pair that names the user who asked."""
        return token_service_pb2.TokenPair(user=f"users/{request.user_id}")


class Networks(network_service_pb2_grpc.NetworkServiceServicer):
    """Fails `GetNetwork` as often as it is told, and counts what arrives."""

    def __init__(self) -> None:
        self.calls = {"GetNetwork": 0, "DeleteNetwork": 0}
        self.failures_left = 0

    def GetNetwork(self, request: Any, context: Any) -> network_service_pb2.Network:
        """Return the network, or UNAVAILABLE."""
        self.calls["GetNetwork"] += 1
        self._fail_when_told(context)
        return network_service_pb2.Network(name=request.name)

    def DeleteNetwork(self, request: Any, context: Any) -> Any:
        """Fail like GetNetwork."""
        self.calls["DeleteNetwork"] += 1
        self._fail_when_told(context)

    def _fail_when_told(self, context: Any) -> None:
        if self.failures_left > 0:
            self.failures_left -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "told to fail")

    def ListNetworks(self, request: Any, context: Any) -> network_service_pb2.ListNetworksResponse:
        """Answer nobody: wait until the caller has given up."""
        gone = threading.Event()
        context.add_callback(gone.set)
        gone.wait(60)
        return network_service_pb2.ListNetworksResponse()

    def CreateNetwork(self, request: Any, context: Any) -> network_service_pb2.Network:
        """Return a network that says how large its request was."""
        return network_service_pb2.Network(etag=str(request.ByteSize()))


class Learning(learning_service_pb2_grpc.LearningServiceServicer):
    """Answers every frame with its sequence."""

    def Learn(self, requests: Any, context: Any) -> Iterator[learning_service_pb2.LearnResponse]:
        """Echo."""
        for request in requests:
            yield learning_service_pb2.LearnResponse(
                result=learning_service_pb2.LearnResult(sequence=request.frame.sequence)
            )


class Datasets(dataset_service_pb2_grpc.DatasetServiceServicer):
    """Counts the bytes of an upload."""

    def UploadDataset(self, requests: Any, context: Any) -> dataset_service_pb2.Dataset:
        """Return the number of messages as the description of a data set."""
        return dataset_service_pb2.Dataset(name=str(sum(1 for _ in requests)))


class Mesh(mesh_service_pb2_grpc.MeshServiceServicer):
    """Tells its version, and what metadata reached it."""

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}

    def GetMeshStatus(self, request: Any, context: Any) -> mesh_service_pb2.MeshStatus:
        """Return a status with one service."""
        self.metadata = dict(context.invocation_metadata())
        kyouko = mesh_service_pb2.ServiceStatus(
            service="kyouko", health=mesh_service_pb2.HEALTH_SERVING
        )
        return mesh_service_pb2.MeshStatus(version="9.9.9", services=[kyouko])


class Backends:
    """All servers, on free ports; azuki is missing on purpose."""

    def __init__(self) -> None:
        self.signer = Signer()
        self.networks = Networks()
        self.mesh = Mesh()
        self.ports: dict[str, int] = {}
        self._servers: list[grpc.Server] = []
        self.torii_http_port, self._web = _serve_web()
        self._start(
            "misaki", token_service_pb2_grpc.add_TokenServiceServicer_to_server, Tokens(self.signer)
        )
        self._start(
            "kyouko",
            network_service_pb2_grpc.add_NetworkServiceServicer_to_server,
            self.networks,
            (learning_service_pb2_grpc.add_LearningServiceServicer_to_server, Learning()),
        )
        self._start(
            "shiori", dataset_service_pb2_grpc.add_DatasetServiceServicer_to_server, Datasets()
        )
        self._start("torii", mesh_service_pb2_grpc.add_MeshServiceServicer_to_server, self.mesh)

    def _start(self, name: str, add: Any, servicer: Any, *more: tuple[Any, Any]) -> None:
        server = grpc.server(
            futures.ThreadPoolExecutor(max_workers=8),
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_metadata_size", MAX_METADATA_BYTES),
                ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
            ],
        )
        add(servicer, server)
        for add_more, another in more:
            add_more(another, server)
        health_servicer = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
        health_servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        reflection.enable_server_reflection([reflection.SERVICE_NAME], server)
        self.ports[name] = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self._servers.append(server)

    def stop(self) -> None:
        """Stop everything."""
        for server in self._servers:
            server.stop(grace=None).wait(5)
        self._web.shutdown()


def _serve_web() -> tuple[int, Server]:
    """Serve a page on every path, and a websocket that tells its path and sub-protocol."""

    def page(connection: ServerConnection, request: Any) -> Any:
        if request.headers.get("Upgrade") == "websocket":
            return None
        return connection.respond(http.HTTPStatus.OK, "<html>the start page</html>\n")

    def converse(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    server = serve(
        converse, "127.0.0.1", 0, process_request=page, subprotocols=["hanami.v1"], compression=None
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.socket.getsockname()[1], server
