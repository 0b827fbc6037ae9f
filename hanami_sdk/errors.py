"""What can go wrong between a client and the mesh, as exceptions.

Every failed call raises a `HanamiError`; its subclass says what kind of
failure it is, `reason` names the cause for programs, and the message is
written for a person. Nothing here sends or retries calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import grpc
    from google.rpc.status_pb2 import Status

_DETAILS_KEY = "grpc-status-details-bin"

# gRPC reports a call that was cut off under several codes, INTERNAL among them.
_SIGNS_OF_A_BROKEN_CONNECTION = (
    "RST_STREAM",
    "Stream removed",
    "Socket closed",
    "GOAWAY",
    # What grpc.aio says of a message that was written when the call had just ended.
    "Internal error from Core",
)


@dataclass(frozen=True)
class FieldViolation:
    """One field of a request that breaks a rule of the contract."""

    field: str
    description: str


class HanamiError(Exception):
    """A call failed; the subclasses tell the kinds of failure apart.

    Attributes:
        message: what went wrong, a sentence for a person.
        code: the gRPC status code's name, such as `NOT_FOUND`.
        reason: the cause for programs, a name of `hanami.type.v1.ErrorReason`
            without its prefix; empty when the answer carried none.
        metadata: the values that the message speaks of.
        violations: the fields that break rules, when the request was invalid.
        retry_delay: seconds to wait before another try, when the server said so.
    """

    code = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Iterable[FieldViolation] = (),
        retry_delay: float | None = None,
    ) -> None:
        self.message = message
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_delay = retry_delay
        super().__init__(message)

    def __str__(self) -> str:
        """Return the message, followed by the fields at fault."""
        missing = [v for v in self.violations if v.description not in self.message]
        return "\n".join([self.message, *(f"  {v.field}: {v.description}" for v in missing)])


class InvalidArgument(HanamiError):
    """The request breaks a rule, whatever the state of the system."""

    code = "INVALID_ARGUMENT"


class NotFound(HanamiError):
    """The resource does not exist, or is hidden from this user."""

    code = "NOT_FOUND"


class AlreadyExists(HanamiError):
    """A resource of this name exists already."""

    code = "ALREADY_EXISTS"


class FailedPrecondition(HanamiError):
    """The resource is in a state that does not allow the call."""

    code = "FAILED_PRECONDITION"


class OutOfRange(HanamiError):
    """The call went past a valid range."""

    code = "OUT_OF_RANGE"


class Aborted(HanamiError):
    """Somebody else changed the resource first."""

    code = "ABORTED"


class ResourceExhausted(HanamiError):
    """A limit has been reached."""

    code = "RESOURCE_EXHAUSTED"


class PermissionDenied(HanamiError):
    """This user's role does not allow the call."""

    code = "PERMISSION_DENIED"


class Unauthenticated(HanamiError):
    """There is no usable token, or user and password do not fit together."""

    code = "UNAUTHENTICATED"


class Unavailable(HanamiError):
    """The mesh, or a part of it, does not answer."""

    code = "UNAVAILABLE"


class DeadlineExceeded(HanamiError):
    """The call took longer than allowed."""

    code = "DEADLINE_EXCEEDED"


class Cancelled(HanamiError):
    """The call was stopped before its end."""

    code = "CANCELLED"


class Unimplemented(HanamiError):
    """The server does not know the call."""

    code = "UNIMPLEMENTED"


class InternalError(HanamiError):
    """The server made a mistake; `metadata["incident"]` finds it in its log."""

    code = "INTERNAL"


class DataLost(HanamiError):
    """Data is gone or damaged for good."""

    code = "DATA_LOSS"


class FrameRefused(HanamiError):
    """A frame of a stream was refused; the network is as it was before it.

    Attributes:
        sequence: the frame's number within the stream, when it was a frame.
        row: the first row at fault; `None` when the frame as a whole is.
    """

    def __init__(
        self, cause: HanamiError, *, sequence: int | None = None, row: int | None = None
    ) -> None:
        super().__init__(
            cause.message,
            reason=cause.reason,
            metadata=cause.metadata,
            violations=cause.violations,
            retry_delay=cause.retry_delay,
        )
        self.code = cause.code
        self.sequence = sequence
        self.row = row


_BY_CODE: dict[str, type[HanamiError]] = {
    kind.code: kind
    for kind in (
        InvalidArgument,
        NotFound,
        AlreadyExists,
        FailedPrecondition,
        OutOfRange,
        Aborted,
        ResourceExhausted,
        PermissionDenied,
        Unauthenticated,
        Unavailable,
        DeadlineExceeded,
        Cancelled,
        Unimplemented,
        InternalError,
        DataLost,
    )
}


def error_from_status(status: Status) -> HanamiError:
    """Turn a `google.rpc.Status`, details included, into the fitting error."""
    from google.rpc import code_pb2

    reason, metadata, violations, delay = "", dict[str, str](), list[FieldViolation](), None
    for detail in _unpack_details(status):
        kind = detail.DESCRIPTOR.name
        if kind == "ErrorInfo":
            reason, metadata = detail.reason, dict(detail.metadata)
        elif kind == "BadRequest":
            violations += [FieldViolation(v.field, v.description) for v in detail.field_violations]
        elif kind == "RetryInfo":
            delay = detail.retry_delay.ToTimedelta().total_seconds()
    code = code_pb2.Code.Name(status.code) if status.code in code_pb2.Code.values() else "UNKNOWN"
    return _BY_CODE.get(code, HanamiError)(
        status.message or f"The call failed ({code}).",
        reason=reason,
        metadata=metadata,
        violations=violations,
        retry_delay=delay,
    )


def error_from_rpc(error: grpc.RpcError, *, target: str) -> HanamiError:
    """Turn what a gRPC call raised into the fitting error.

    Args:
        error: raised by a call; it has a code, details and trailing metadata.
        target: the address of the mesh as the user wrote it, for the message.
    """
    from google.rpc import status_pb2

    for key, value in _trailing_metadata(error):
        if key == _DETAILS_KEY:
            return error_from_status(status_pb2.Status.FromString(value))
    code, details = error.code(), error.details() or ""
    if any(sign in details for sign in _SIGNS_OF_A_BROKEN_CONNECTION):
        return Unavailable(f"The connection to {target} broke; a service may have ended.")
    name = code.name if code is not None else "UNKNOWN"
    return _BY_CODE.get(name, HanamiError)(_plain_message(name, details, target))


def _unpack_details(status: Status) -> list[Any]:
    from google.rpc import error_details_pb2

    known = (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo)
    unpacked: list[Any] = []
    for packed in status.details:
        for kind in known:
            if packed.Is(kind.DESCRIPTOR):
                message = kind()
                packed.Unpack(message)
                unpacked.append(message)
    return unpacked


def _trailing_metadata(error: grpc.RpcError) -> list[tuple[str, Any]]:
    trailing = getattr(error, "trailing_metadata", None)
    return list(trailing() or ()) if callable(trailing) else []


def _plain_message(code: str, details: str, target: str) -> str:
    """Word a failure that carries no details of ours: the transport, or Envoy."""
    if code == "UNAVAILABLE":
        if "CERTIFICATE_VERIFY_FAILED" in details or "Hostname Verification" in details:
            return f"The certificate of {target} is not trusted: {details}"
        if "onnect" in details and "upstream" not in details:
            return f"Nothing answers at {target}."
        return f"A service behind {target} does not answer: {details}"
    if code == "UNAUTHENTICATED":
        return f"The token was refused: {details}" if details else "The token was refused."
    if code == "DEADLINE_EXCEEDED":
        return f"{target} did not answer in time."
    return details or f"The call failed ({code})."
