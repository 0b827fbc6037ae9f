"""What can go wrong, in the words of the domain. Imports nothing of the project.

`mesh.status` alone turns these errors into gRPC statuses. `reason` is a name of
`hanami.type.v1.ErrorReason` without its prefix; every value in the sentence is
also in the metadata.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldViolation:
    """One field that breaks a rule: its path, and what is wrong and allowed."""

    field: str
    description: str


class DomainError(Exception):
    """An error that a caller can understand and act on."""

    def __init__(
        self, message: str, *, reason: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.metadata = dict(metadata or {})


class InvalidArgument(DomainError):
    """The request is wrong, whatever the state of the system."""

    def __init__(
        self,
        message: str,
        *,
        reason: str = "FIELD_INVALID",
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.violations = tuple(violations)

    @classmethod
    def for_field(
        cls,
        field: str,
        description: str,
        *,
        reason: str = "FIELD_INVALID",
        metadata: Mapping[str, str] | None = None,
    ) -> "InvalidArgument":
        """Return the error of a single field."""
        return cls(
            f"{field}: {description}",
            reason=reason,
            metadata={"field": field, **(metadata or {})},
            violations=[FieldViolation(field, description)],
        )


class NotFound(DomainError):
    """A resource does not exist, or the caller may not know of it."""

    def __init__(self, resource: str) -> None:
        super().__init__(
            f"{resource} was not found, or you have no access to it",
            reason="RESOURCE_NOT_FOUND",
            metadata={"resource": resource},
        )


class AlreadyExists(DomainError):
    """A resource of that name exists."""

    def __init__(
        self,
        resource: str,
        *,
        message: str | None = None,
        reason: str = "RESOURCE_EXISTS",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            message or f"{resource} exists already",
            reason=reason,
            metadata=metadata if metadata is not None else {"resource": resource},
        )


class FailedPrecondition(DomainError):
    """The system is in a state that does not allow the call."""


class Aborted(DomainError):
    """Somebody else was faster; read again and repeat."""


class ResourceExhausted(DomainError):
    """A limit has been reached."""


class PermissionDenied(DomainError):
    """The caller is known, and may not do this."""


class Unauthenticated(DomainError):
    """The caller has not proved who they are."""


class Unavailable(DomainError):
    """Something needed does not answer now; trying again helps."""


class DeadlineExceeded(DomainError):
    """The call did not end in time."""


class InternalError(DomainError):
    """A mistake of ours, of which there is something to tell a caller."""


def stale_etag(resource: str, etag: str) -> Aborted:
    """Return the error of a resource that has changed since it was read."""
    return Aborted(
        f"{resource} has changed since etag {etag!r} was read; get it again",
        reason="ETAG_MISMATCH",
        metadata={"resource": resource, "etag": etag},
    )
