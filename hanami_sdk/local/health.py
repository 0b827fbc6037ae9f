"""Asks the components of a local mesh how they are."""

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hanami_sdk.local.envoy_config import SERVICES, Address
from hanami_sdk.local.peer_files import PeerFiles
from hanami_sdk.local.state import Health

__all__ = ["gateway_health", "gateway_is_ready", "service_healths"]

_TIMEOUT_SECONDS = 1.0
_OPTIONS = [
    # Its own connection, which remembers no earlier refusal and asks no proxy.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
]


def service_healths(
    addresses: Mapping[str, str], certificates: PeerFiles | None = None
) -> dict[str, Health]:
    """Ask services at host:port, by name, all at once; with certificates if they want some."""
    with ExitStack() as stack:
        asked = {
            name: _ask(stack.enter_context(_channel(name, address, certificates)))
            for name, address in addresses.items()
            if _listens(address)
        }
        return {
            name: _answer(asked[name]) if name in asked else Health.UNREACHABLE
            for name in addresses
        }


def gateway_health(address: str, authority: Path | None) -> Health:
    """Ask the gateway at host:port whether it runs; over TLS when there is an authority."""
    parsed = Address.parse(address)
    connection = http.client.HTTPConnection(parsed.host, parsed.port, timeout=_TIMEOUT_SECONDS)
    if authority is not None:
        context = ssl.create_default_context(cafile=str(authority))
        connection = http.client.HTTPSConnection(
            parsed.host, parsed.port, timeout=_TIMEOUT_SECONDS, context=context
        )
    status = _get(connection, "/healthz")[0]
    if status is None:
        return Health.UNREACHABLE
    return Health.SERVING if status == http.HTTPStatus.OK else Health.NOT_SERVING


def gateway_is_ready(admin_address: str) -> bool:
    """Whether Envoy can verify tokens and sees every service as healthy."""
    parsed = Address.parse(admin_address)
    connection = http.client.HTTPConnection(parsed.host, parsed.port, timeout=_TIMEOUT_SECONDS)
    wanted = r"(jwt_authn.jwks_fetch_success|membership_healthy)$"
    status, body = _get(connection, f"/stats?format=json&filter={wanted}")
    if status != http.HTTPStatus.OK:
        return False
    values = {one["name"]: one["value"] for one in json.loads(body)["stats"] if "value" in one}
    clusters = (*SERVICES, "torii_http")
    needed = [f"cluster.{name}.membership_healthy" for name in clusters]
    needed.append("http.gateway.jwt_authn.jwks_fetch_success")
    return all(values.get(name, 0) > 0 for name in needed)


def _listens(address: str) -> bool:
    parsed = Address.parse(address)
    try:
        with socket.create_connection((parsed.host, parsed.port), timeout=_TIMEOUT_SECONDS):
            return True
    except OSError:
        return False


def _channel(service: str, address: str, certificates: PeerFiles | None) -> grpc.Channel:
    if certificates is None:
        return grpc.insecure_channel(address, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        certificates.authority.read_bytes(),
        certificates.private_key.read_bytes(),
        certificates.certificate.read_bytes(),
    )
    options = [*_OPTIONS, ("grpc.ssl_target_name_override", service)]
    return grpc.secure_channel(address, credentials, options=options)


def _ask(channel: grpc.Channel) -> Any:
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service="")
    return stub.Check.future(request, timeout=_TIMEOUT_SECONDS)


def _answer(call: Any) -> Health:
    try:
        status = call.result().status
    except grpc.RpcError:
        return Health.UNREACHABLE
    serving = status == health_pb2.HealthCheckResponse.SERVING
    return Health.SERVING if serving else Health.NOT_SERVING


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int | None, bytes]:
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return None, b""
    finally:
        connection.close()
