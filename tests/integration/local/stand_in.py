"""A small process in place of a service: real gRPC health, real keys, nothing else.

Run as `python stand_in.py SERVICE`, with the environment that the service would get.
"""

import os
import signal
import sys
import threading
from concurrent import futures
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from hanami.misaki.v1 import token_service_pb2, token_service_pb2_grpc
from websockets.sync.server import serve


class Keys(token_service_pb2_grpc.TokenServiceServicer):
    """Publishes one key."""

    def GetJsonWebKeySet(self, request: Any, context: Any) -> token_service_pb2.JsonWebKeySet:
        """Return a key that nobody signs with."""
        from base64 import urlsafe_b64encode

        raw = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        key = token_service_pb2.JsonWebKey(
            kty="OKP",
            crv="Ed25519",
            x=urlsafe_b64encode(raw).decode().rstrip("="),
            kid="1",
            use="sig",
            alg="EdDSA",
        )
        return token_service_pb2.JsonWebKeySet(keys=[key])


def main(service: str) -> None:
    """Serve until SIGTERM."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    token_service_pb2_grpc.add_TokenServiceServicer_to_server(Keys(), server)
    server.add_insecure_port(os.environ["HANAMI_LISTEN"])
    server.start()
    if service == "torii":
        host, port = os.environ["HANAMI_HTTP_LISTEN"].split(":")
        web = serve(lambda connection: None, host, int(port))
        threading.Thread(target=web.serve_forever, daemon=True).start()
    print(f"{service} serves", flush=True)
    ended.wait()
    server.stop(grace=1).wait()


if __name__ == "__main__":
    main(sys.argv[1])
