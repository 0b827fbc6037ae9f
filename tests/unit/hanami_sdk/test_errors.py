"""What a failed call says, from the wire to the exception."""

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from hanami_sdk.errors import (
    FieldViolation,
    FrameRefused,
    HanamiError,
    InvalidArgument,
    NotFound,
    Unauthenticated,
    Unavailable,
    error_from_rpc,
    error_from_status,
)

URL = "http://mesh.test:1337"


def packed(*details: Message) -> list[any_pb2.Any]:
    """Return details as a status carries them."""
    result = []
    for detail in details:
        holder = any_pb2.Any()
        holder.Pack(detail)
        result.append(holder)
    return result


def rpc_error(
    code: grpc.StatusCode, details: str, trailing: dict[str, bytes] | None = None
) -> grpc.aio.AioRpcError:
    """Return what a call of grpc.aio raises."""
    metadata = grpc.aio.Metadata(*(trailing or {}).items())
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), metadata, details=details)


def test_a_status_becomes_the_error_of_its_code() -> None:
    """The code chooses the class; reason and metadata come from ErrorInfo."""
    info = error_details_pb2.ErrorInfo(
        reason="RESOURCE_NOT_FOUND", domain="hanami.dev", metadata={"resource": "users/alice"}
    )
    status = status_pb2.Status(
        code=code_pb2.NOT_FOUND, message="There is no user alice.", details=packed(info)
    )

    error = error_from_status(status)

    assert isinstance(error, NotFound)
    assert error.reason == "RESOURCE_NOT_FOUND"
    assert error.metadata == {"resource": "users/alice"}
    assert str(error) == "There is no user alice."


def test_field_violations_are_kept_and_told() -> None:
    """Every field at fault is an attribute, and a line of the message."""
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="epochs", description="must not be negative")
    status = status_pb2.Status(
        code=code_pb2.INVALID_ARGUMENT, message="One field is invalid.", details=packed(bad)
    )

    error = error_from_status(status)

    assert isinstance(error, InvalidArgument)
    assert error.violations == (FieldViolation("epochs", "must not be negative"),)
    assert str(error) == "One field is invalid.\n  epochs: must not be negative"


def test_a_violation_that_the_message_tells_is_not_repeated() -> None:
    """Where the server already says it, one line is enough."""
    error = InvalidArgument("id: too short", violations=[FieldViolation("id", "too short")])

    text = str(error)

    assert text == "id: too short"


def test_the_delay_that_the_server_asks_for_is_kept() -> None:
    """RetryInfo says how long to wait."""
    retry = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(nanos=500_000_000))
    status = status_pb2.Status(code=code_pb2.UNAVAILABLE, details=packed(retry))

    error = error_from_status(status)

    assert error.retry_delay == 0.5


def test_an_unknown_code_is_still_an_error() -> None:
    """A code of the future becomes the general error."""
    error = error_from_status(status_pb2.Status(code=99, message="Odd."))

    assert type(error) is HanamiError
    assert error.code == "UNKNOWN"


def test_details_in_the_trailing_metadata_win() -> None:
    """What the service says counts, not gRPC's own short text."""
    status = status_pb2.Status(code=code_pb2.NOT_FOUND, message="There is no such network.")
    error = rpc_error(
        grpc.StatusCode.NOT_FOUND,
        "short",
        {"grpc-status-details-bin": status.SerializeToString()},
    )

    translated = error_from_rpc(error, target=URL)

    assert translated.message == "There is no such network."


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ("failed to connect to all addresses; Connection refused", f"Nothing answers at {URL}."),
        ("upstream connect error or disconnect", "does not answer"),
        ("CERTIFICATE_VERIFY_FAILED: unable to get local issuer", "is not trusted"),
    ],
)
def test_the_transport_is_worded_for_people(details: str, words: str) -> None:
    """A failure without details of ours says what it means for the user."""
    error = error_from_rpc(rpc_error(grpc.StatusCode.UNAVAILABLE, details), target=URL)

    assert isinstance(error, Unavailable)
    assert words in error.message


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED])
def test_a_call_that_was_cut_off_is_no_mistake_of_the_server(code: grpc.StatusCode) -> None:
    """Whatever code gRPC gives it, the service is not available."""
    cut = rpc_error(code, "Stream removed (RST_STREAM with error code 2)")

    error = error_from_rpc(cut, target=URL)

    assert isinstance(error, Unavailable)
    assert URL in error.message


def test_envoy_refuses_a_token() -> None:
    """The gateway's own refusal is an authentication error too."""
    refused = rpc_error(grpc.StatusCode.UNAUTHENTICATED, "Jwt is expired")

    error = error_from_rpc(refused, target=URL)

    assert isinstance(error, Unauthenticated)
    assert "Jwt is expired" in error.message


def test_a_refused_frame_keeps_code_and_reason_of_its_cause() -> None:
    """A fault of a stream can be handled like the error that it is."""
    cause = InvalidArgument("Row 3 is infinite.", reason="TARGET_INVALID", metadata={"row": "3"})

    error = FrameRefused(cause, sequence=7, row=3)

    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "TARGET_INVALID")
    assert (error.sequence, error.row) == (7, 3)
