"""How torii reads the end of its calls to kyouko."""

import grpc
import pytest
from google.rpc import code_pb2
from grpc.aio import AioRpcError, Metadata

from torii.clients import learning


@pytest.mark.parametrize(
    ("code", "details", "told"),
    [
        (grpc.StatusCode.INTERNAL, "Internal error from Core", code_pb2.UNAVAILABLE),
        (grpc.StatusCode.UNAVAILABLE, "connection refused", code_pb2.UNAVAILABLE),
        (grpc.StatusCode.INTERNAL, "something else", code_pb2.INTERNAL),
    ],
)
def test_a_message_that_came_too_late_is_no_mistake(
    code: grpc.StatusCode, details: str, told: int
) -> None:
    """A call that ended while a message was sent is one to be made again."""
    error = AioRpcError(code, Metadata(), Metadata(), details)

    assert told == learning._status_of(error).code
