"""The errors that the gateway itself answers, in the form that services answer theirs.

A client that reads `google.rpc.ErrorInfo` need not know who refused its call.
"""

import base64
from dataclasses import dataclass
from typing import Any

from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

__all__ = ["PLAIN_PROBLEMS", "PROBLEMS", "Problem"]

ERROR_DOMAIN = "hanami.dev"


@dataclass(frozen=True)
class Problem:
    """One kind of error.

    `http_statuses` are those with which Envoy means it; it is answered with the
    first of them. `code` is the gRPC status code.
    """

    http_statuses: tuple[int, ...]
    code: int
    reason: str
    message: str

    @property
    def details_binary(self) -> str:
        """A `google.rpc.Status` as the value of `grpc-status-details-bin`."""
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.ErrorInfo(reason=self.reason, domain=ERROR_DOMAIN))
        status = status_pb2.Status(code=self.code, message=self.message, details=[detail])
        # gRPC writes binary metadata without padding.
        return base64.b64encode(status.SerializeToString()).decode("ascii").rstrip("=")

    @property
    def details_json(self) -> list[dict[str, Any]]:
        """The `details` of the status as JSON."""
        return [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": self.reason,
                "domain": ERROR_DOMAIN,
            }
        ]


PROBLEMS = (
    # Envoy says 403 when the audience is another one; to a client that is the same.
    Problem(
        (401, 403),
        code_pb2.UNAUTHENTICATED,
        "TOKEN_INVALID",
        "the token is missing, has ended, or is none of this mesh; log in again",
    ),
    Problem(
        (429,),
        code_pb2.RESOURCE_EXHAUSTED,
        "LIMIT_REACHED",
        "too many calls at once; wait a moment and try again",
    ),
    Problem(
        (503,),
        code_pb2.UNAVAILABLE,
        "DEPENDENCY_UNAVAILABLE",
        "a service that this call needs does not answer; try again",
    ),
    Problem(
        (504,),
        code_pb2.DEADLINE_EXCEEDED,
        "DEADLINE_EXCEEDED",
        "the call did not end in the time that the gateway gives it",
    ),
)

# To these Envoy has its own words, which say more.
PLAIN_PROBLEMS = (
    Problem((400,), code_pb2.INVALID_ARGUMENT, "MESSAGE_MALFORMED", ""),
    Problem((404,), code_pb2.NOT_FOUND, "RESOURCE_NOT_FOUND", ""),
    Problem((408,), code_pb2.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", ""),
    Problem((413,), code_pb2.RESOURCE_EXHAUSTED, "LIMIT_REACHED", ""),
    Problem((415,), code_pb2.INVALID_ARGUMENT, "MESSAGE_MALFORMED", ""),
    Problem((431,), code_pb2.RESOURCE_EXHAUSTED, "LIMIT_REACHED", ""),
    Problem((500,), code_pb2.INTERNAL, "INTERNAL", ""),
    Problem((502,), code_pb2.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", ""),
)
