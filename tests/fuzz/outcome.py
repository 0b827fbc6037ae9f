"""How a case ended, and what may be said against that."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from google.rpc import status_pb2

from mesh.status import error_info
from tests.fuzz.cases import FRAMES, WEB, Case

LEFT, NO_ANSWER = "LEFT", "NO ANSWER"
# Of these we promise that each says why, in a form that programs can read.
_OURS = {
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "FAILED_PRECONDITION",
    "ABORTED",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "RESOURCE_EXHAUSTED",
}
# gRPC itself says these: a method that is not there, a message or headers that are too large,
# a call that its caller gave up.
# Doors that are no gRPC end with a status of HTTP, or close the connection.
_ALLOWED = _OURS | {"OK", LEFT, "UNIMPLEMENTED", "CANCELLED", "NO STATUS", "CLOSED"}
_SAID_BY_GRPC = re.compile(
    r"larger than max|[Mm]etadata size|exceeds|peer message|too large|RST_STREAM|max_metadata"
)
# What HTTP says to what is no call at all.
_HTTP = {200, 204, 400, 401, 403, 404, 405, 408, 409, 411, 412, 413, 414, 415, 426, 429, 431, 501}
# Frames that no gRPC client sends meet gRPC's own library, which has statuses of its own for
# them; that for a compressed message without a compression is in its specification.
_FRAMING = re.compile(
    r"Error parsing '[^']*' metadata|Compression bit set|[Cc]ompress|Invalid gRPC frame|"
    r"[Bb]ad request|Deadline Exceeded|Missing :authority|Illegal header|frame"
)
_INTERNALS: Mapping[str, re.Pattern[str]] = {
    "a traceback": re.compile(r"Traceback|File \"[^\"]+\", line \d"),
    "a path of this machine": re.compile(r"/(tmp|work|home|root|usr|var|opt)/\S|site-packages"),
    "a source file": re.compile(r"\b\w+\.py\b|\.pyx|\.cc:\d"),
    "SQL": re.compile(
        r"\b(SELECT .+ FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b|sqlalche|sqlite"
    ),
    "a class of Python": re.compile(
        r"<class '|object at 0x|NoneType|\b(?!InternalError)[A-Z]\w+(Error|Exception)\b|_pb2"
    ),
    "a library": re.compile(
        r"\b(asyncpg|aiosqlite|protovalidate|pyarrow|pydantic|numpy|asyncio)\b"
    ),
}


@dataclass(frozen=True)
class Outcome:
    """How a call ended.

    Attributes:
        code: The name of the gRPC status; LEFT when the caller went away first, NO ANSWER
            when none came.
        reason: That of the ErrorInfo; empty without one.
        told: All that the caller was told about an error.
        seconds: How long it took.
        http: The status of HTTP, where the call is no gRPC; 0 otherwise.
    """

    code: str
    reason: str = ""
    told: str = ""
    seconds: float = 0.0
    http: int = 0

    @property
    def has_large_headers(self) -> bool:
        """Whether gRPC's library refused the call for the size of its headers."""
        return "metadata size exceeds hard limit" in self.told


def of_status(code: str, rich: status_pb2.Status, message: str, seconds: float) -> Outcome:
    """Return the outcome of a call that ended with a gRPC status."""
    told = message if message == rich.message else f"{message} {rich.message}"
    details = " ".join(str(detail.value) for detail in rich.details)
    return Outcome(code, error_info(rich).reason, f"{told} {details}".strip(), seconds)


def complaints(case: Case, outcome: Outcome) -> list[str]:
    """Return what is wrong with an outcome; nothing as a rule."""
    found = []
    if outcome.code == NO_ANSWER:
        found.append(f"no answer within {outcome.seconds:.0f} s")
    elif outcome.code not in _ALLOWED and not _is_expected(case, outcome):
        found.append(f"the status {outcome.code}")
    if outcome.http and outcome.http not in _HTTP and not _is_expected(case, outcome):
        found.append(f"the HTTP status {outcome.http}")
    if outcome.code in _OURS and not outcome.reason and not _is_by_grpc(case, outcome):
        found.append("an error without ErrorInfo")
    if outcome.code != "OK":
        found += [
            f"{what} is told" for what, look in _INTERNALS.items() if look.search(outcome.told)
        ]
    return found


def _is_expected(case: Case, outcome: Outcome) -> bool:
    # What a page of another origin asks of a path that is none comes to a server that reads GET
    # only; see the gateway's routes.
    is_foreign = any(key == "origin" for key, _ in case.metadata)
    # Bare frames may ask for an end within a nanosecond.
    is_late = case.door == FRAMES and outcome.code == outcome.reason == "DEADLINE_EXCEEDED"
    return is_late or _is_about_frames(case, outcome) or (is_foreign and outcome.http == 503)


def _is_about_frames(case: Case, outcome: Outcome) -> bool:
    # gRPC-Web is frames as well, which the gateway hands on as they are.
    is_of_frames = case.door in (FRAMES, WEB)
    return is_of_frames and not outcome.reason and bool(_FRAMING.search(outcome.told))


def _is_by_grpc(case: Case, outcome: Outcome) -> bool:
    return case.door == FRAMES or bool(_SAID_BY_GRPC.search(outcome.told))
