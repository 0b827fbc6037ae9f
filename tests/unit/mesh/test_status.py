"""Errors as they go over the wire."""

import grpc
import pytest
from google.rpc import error_details_pb2
from hanami.type.v1 import error_reason_pb2

from mesh import errors, status

KINDS = {
    errors.InvalidArgument("m", reason="FIELD_INVALID"): grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound("users/x"): grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists("users/x"): grpc.StatusCode.ALREADY_EXISTS,
    errors.FailedPrecondition("m", reason="STATE_CONFLICT"): grpc.StatusCode.FAILED_PRECONDITION,
    errors.stale_etag("users/x", "e"): grpc.StatusCode.ABORTED,
    errors.ResourceExhausted("m", reason="LIMIT_REACHED"): grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.PermissionDenied("m", reason="ROLE_INSUFFICIENT"): grpc.StatusCode.PERMISSION_DENIED,
    errors.Unauthenticated("m", reason="TOKEN_INVALID"): grpc.StatusCode.UNAUTHENTICATED,
    errors.Unavailable("m", reason="SHUTTING_DOWN"): grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded("m", reason="DEADLINE_EXCEEDED"): grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.InternalError("m", reason="INTERNAL"): grpc.StatusCode.INTERNAL,
}


class Narrower(errors.NotFound):
    """An error of one domain that is a kind of NotFound."""


@pytest.mark.parametrize("error", KINDS, ids=lambda error: type(error).__name__)
def test_each_kind_has_its_code_and_one_info(error: errors.DomainError) -> None:
    """Code, message, reason and metadata arrive; exactly one ErrorInfo is among the details."""
    told = status.status_of(error)

    infos = [d for d in told.details if d.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    info = status.error_info(told)
    assert KINDS[error] == status.grpc_code(told)
    assert error.message == told.message
    assert 1 == len(infos)
    assert ("hanami.dev", error.reason, error.metadata) == (
        info.domain,
        info.reason,
        dict(info.metadata),
    )


@pytest.mark.parametrize("error", KINDS, ids=lambda error: type(error).__name__)
def test_reasons_are_those_of_the_contract(error: errors.DomainError) -> None:
    """Each reason is a name of ErrorReason without the prefix."""
    assert f"ERROR_REASON_{error.reason}" in error_reason_pb2.ErrorReason.keys()  # noqa: SIM118


def test_all_kinds_are_mapped() -> None:
    """No subclass of DomainError lacks a code."""
    tested = {type(error) for error in KINDS}

    assert {k for k in errors.DomainError.__subclasses__() if k.__module__ == "mesh.errors"} == (
        tested
    )


def test_narrower_error_has_the_code_of_its_kind() -> None:
    """A service may refine an error without telling the mapping."""
    assert grpc.StatusCode.NOT_FOUND == status.grpc_code(status.status_of(Narrower("users/x")))


def test_violations_become_a_bad_request() -> None:
    """Fields that break a rule are told one by one."""
    error = errors.InvalidArgument(
        "two mistakes",
        violations=[errors.FieldViolation("a", "is wrong"), errors.FieldViolation("b.c[0]", "too")],
    )

    told = status.status_of(error)

    request = error_details_pb2.BadRequest()
    assert any(detail.Unpack(request) for detail in told.details)
    assert [("a", "is wrong"), ("b.c[0]", "too")] == [
        (violation.field, violation.description) for violation in request.field_violations
    ]


def test_endless_errors_fit_into_trailers() -> None:
    """Whatever a request held, its error stays below the 8 KiB that gRPC carries."""
    error = errors.InvalidArgument(
        "x" * 10**6,
        metadata={"value": "y" * 10**6},
        violations=[errors.FieldViolation("f" * 10**4, "d" * 10**4)] * 1000,
    )

    told = status.status_of(error)

    assert told.ByteSize() < 12000
    assert told.message.startswith("xxx")


def test_internal_status_tells_the_incident_only() -> None:
    """A mistake of ours tells its incident id, and no more."""
    told = status.internal_status("abc123")

    info = status.error_info(told)
    assert grpc.StatusCode.INTERNAL == status.grpc_code(told)
    assert ("INTERNAL", {"incident": "abc123"}) == (info.reason, dict(info.metadata))
