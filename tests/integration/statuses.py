"""What a refused call told its client."""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

DOMAIN = "hanami.dev"


@dataclass(frozen=True)
class Refusal:
    """The status of a refused call, taken apart. `fields` are those of BadRequest."""

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: dict[str, str] = field(default_factory=dict)
    fields: tuple[str, ...] = ()


async def refusal(call: Awaitable[Any]) -> Refusal:
    """Wait for a call that has to fail; returns what it told.

    Exactly one ErrorInfo of our domain is part of every refusal.
    """
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    status = rpc_status.from_call(error)
    assert status is not None, f"no rich status: {error!r}"
    infos = list(_details(status.details, error_details_pb2.ErrorInfo))
    assert [DOMAIN] == [info.domain for info in infos]
    bad = _details(status.details, error_details_pb2.BadRequest)
    return Refusal(
        code=error.code(),
        reason=infos[0].reason,
        message=status.message,
        metadata=dict(infos[0].metadata),
        fields=tuple(v.field for request in bad for v in request.field_violations),
    )


def _details(details: Iterable[Any], kind: type[Message]) -> Iterable[Any]:
    for detail in details:
        message = kind()
        if detail.Unpack(message):
            yield message
