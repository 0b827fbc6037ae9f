"""Turns errors into gRPC statuses with details. The only place that knows both."""

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from mesh.errors import (
    Aborted,
    AlreadyExists,
    DeadlineExceeded,
    DomainError,
    FailedPrecondition,
    InternalError,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from mesh.quotas import QuotaExceeded

ERROR_DOMAIN = "hanami.dev"

_CODES: dict[type[DomainError], int] = {
    InvalidArgument: code_pb2.INVALID_ARGUMENT,
    NotFound: code_pb2.NOT_FOUND,
    AlreadyExists: code_pb2.ALREADY_EXISTS,
    FailedPrecondition: code_pb2.FAILED_PRECONDITION,
    Aborted: code_pb2.ABORTED,
    ResourceExhausted: code_pb2.RESOURCE_EXHAUSTED,
    PermissionDenied: code_pb2.PERMISSION_DENIED,
    Unauthenticated: code_pb2.UNAUTHENTICATED,
    Unavailable: code_pb2.UNAVAILABLE,
    DeadlineExceeded: code_pb2.DEADLINE_EXCEEDED,
    InternalError: code_pb2.INTERNAL,
}
# Details travel in trailers, and gRPC drops a whole answer whose trailers pass 8 KiB.
_MAX_TEXT = 500
_MAX_VIOLATIONS = 8
_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}


def status_of(error: DomainError) -> status_pb2.Status:
    """Return an error as it goes over the wire: one ErrorInfo, and what fits beside it."""
    details: list[Message] = [
        error_details_pb2.ErrorInfo(
            reason=error.reason,
            domain=ERROR_DOMAIN,
            metadata={key: _clipped(value) for key, value in error.metadata.items()},
        )
    ]
    if isinstance(error, InvalidArgument) and error.violations:
        details.append(_bad_request(error))
    if isinstance(error, NotFound):
        details.append(
            error_details_pb2.ResourceInfo(
                resource_name=_clipped(error.metadata.get("resource", ""))
            )
        )
    if isinstance(error, QuotaExceeded):
        details.append(_quota_failure(error))
    if seconds := error.metadata.get("retry_seconds"):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromSeconds(int(seconds))
        details.append(retry)
    return status_pb2.Status(
        code=_code_of(error), message=_clipped(error.message), details=[_packed(d) for d in details]
    )


def _code_of(error: DomainError) -> int:
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), code_pb2.UNKNOWN)


def _clipped(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."


def internal_status(incident: str) -> status_pb2.Status:
    """Return the status of a mistake of ours, which tells a caller its incident id only."""
    info = error_details_pb2.ErrorInfo(
        reason="INTERNAL", domain=ERROR_DOMAIN, metadata={"incident": incident}
    )
    return status_pb2.Status(
        code=code_pb2.INTERNAL,
        message=f"something went wrong on our side; the log has it as incident {incident}",
        details=[_packed(info)],
    )


def grpc_code(status: status_pb2.Status) -> grpc.StatusCode:
    """Return the gRPC code of a status."""
    return _GRPC_CODES[status.code]


def error_info(status: status_pb2.Status) -> error_details_pb2.ErrorInfo:
    """Return the ErrorInfo of a status; an empty one when it has none."""
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            break
    return info


def _bad_request(error: InvalidArgument) -> error_details_pb2.BadRequest:
    return error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(
                field=_clipped(violation.field), description=_clipped(violation.description)
            )
            for violation in error.violations[:_MAX_VIOLATIONS]
        ]
    )


def _quota_failure(error: QuotaExceeded) -> error_details_pb2.QuotaFailure:
    violation = error_details_pb2.QuotaFailure.Violation(
        subject=error.subject,
        description=_clipped(error.message),
        quota_metric=f"{ERROR_DOMAIN}/{error.quota.value}",
        quota_value=int(error.metadata["limit"]),
    )
    return error_details_pb2.QuotaFailure(violations=[violation])


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
