"""Rotates the signing key of a mesh that runs, and looks who takes the new one when."""

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import jwt
from hanami.misaki.v1 import signing_key_service_pb2, signing_key_service_pb2_grpc

from hanami_sdk.local.contracts import PACKAGES
from misaki.crypto.key_ring import RING_FILE_NAME
from misaki.crypto.keys import read_pem
from misaki.settings import MisakiSettings
from tests.e2e.conftest import log_in
from tests.rpcs import Rpc, every_rpc, request_for
from tests.soak.house import House, running_house

_PATIENCE_SECONDS = 120.0
_PAUSE_SECONDS = 0.01
# Of each service one call that reads, and that an admin may make.
_ASKED = {
    "misaki": "/hanami.misaki.v1.ProjectService/ListProjects",
    "shiori": "/hanami.shiori.v1.ErrorService/ListErrorRecords",
    "kyouko": "/hanami.kyouko.v1.TemplateService/ListTemplates",
    "azuki": "/hanami.azuki.v1.MonitoringService/GetMachine",
    "torii": "/hanami.torii.v1.MeshService/GetMeshStatus",
}


@dataclass(frozen=True)
class Rotation:
    """What a rotation was like.

    Attributes:
        taken_after: Seconds until a token of the new key was good, by service.
        signs_after: Seconds until misaki itself uses the new key.
        calls: How many were made meanwhile with a token of the old key.
        refused: How many of these were refused.
    """

    taken_after: Mapping[str, float]
    signs_after: float
    calls: int
    refused: int


def rotate(folder: Path) -> Rotation:
    """Start a mesh, rotate its key, and ask everybody until all take it."""
    with running_house(folder) as house, ExitStack() as stack:
        channels = {
            name: stack.enter_context(grpc.insecure_channel(address))
            for name, address in _addresses(house).items()
        }
        admin = log_in(channels["misaki"], house.state.admin_user_id, house.password)
        signing_key_service_pb2_grpc.SigningKeyServiceStub(channels["misaki"]).RotateSigningKey(
            signing_key_service_pb2.RotateSigningKeyRequest(), metadata=admin.metadata
        )
        started = time.perf_counter()
        new = _signed_by_the_newest(house, admin.token)
        taken: dict[str, float] = {}
        calls = refused = 0
        while len(taken) < len(channels):
            if time.perf_counter() - started > _PATIENCE_SECONDS:
                raise TimeoutError(f"only {', '.join(taken)} take the new key")
            for name, channel in channels.items():
                calls += 1
                refused += not _is_let_in(channel, name, admin.token)
                if name not in taken and _is_let_in(channel, name, new):
                    taken[name] = time.perf_counter() - started
            time.sleep(_PAUSE_SECONDS)
    ahead = MisakiSettings.model_fields["signing_key_ahead_seconds"].default
    return Rotation(taken, float(ahead), calls, refused)


def _addresses(house: House) -> dict[str, str]:
    found = {c.name: c.address for c in house.state.components if c.name in PACKAGES}
    return found | {"gateway": f"{house.state.host}:{house.state.port}"}


def _is_let_in(channel: grpc.Channel, name: str, token: str) -> bool:
    rpc = _asked(name)
    call: Any = channel.unary_unary(
        rpc.path,
        request_serializer=rpc.request_type.SerializeToString,
        response_deserializer=rpc.response_type.FromString,
    )
    try:
        call(
            request_for(rpc, {}),
            metadata=(("authorization", f"Bearer {token}"),),
            timeout=_PATIENCE_SECONDS,
        )
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNAUTHENTICATED:
            return False
        raise
    return True


def _asked(name: str) -> Rpc:
    path = _ASKED.get(name, _ASKED["torii"])
    return next(rpc for rpc in every_rpc() if rpc.path == path)


def _signed_by_the_newest(house: House, token: str) -> str:
    """Return a token with the same claims, signed with the key that is to come."""
    folder = house.home.data("misaki")
    path = folder / RING_FILE_NAME
    entries = json.loads(path.read_text(encoding="utf-8"))["keys"]
    newest = max(entries, key=lambda entry: str(entry["activate_time"]))
    key = read_pem(newest["private_key"].encode(), path)
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": key.public.key_id})
