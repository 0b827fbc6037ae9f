"""Makes records out of the errors that a service logs, whoever logs them.

Whatever is logged as an error becomes a record, so no place where something can go
wrong has to know of the error log. Incident ids that callers got are in the log lines.
"""

import logging
import time
import traceback
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from hanami.shiori.v1.error_service_pb2 import ErrorRecord
from opentelemetry import trace

from mesh import calls, redaction
from mesh.audit import subjects
from mesh.audit.trail import AuditTrail

# What the trail itself has to complain about would make it longer.
_OWN_LOG = "mesh.audit"
# Errors that no caller heard of: so many a minute are enough to see what is wrong.
_MOST_PER_MINUTE = 60
_EVENT_CHARACTERS = 500
_ERROR_CHARACTERS = 2000
_TRACE_CHARACTERS = 32000
_NAME_CHARACTERS = 160
# Where log lines name what they are about.
_SUBJECTS = ("resource", "network", "task", "dataset", "snapshot")


@asynccontextmanager
async def reporting_errors(trail: AuditTrail | None) -> AsyncIterator[None]:
    """Report what is logged as an error while the context is open."""
    if trail is None:
        yield
        return
    handler = ErrorReports(trail)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


class ErrorReports(logging.Handler):
    """Writes records of errors into a trail."""

    def __init__(self, trail: AuditTrail) -> None:
        super().__init__(logging.ERROR)
        self._trail = trail
        self._minute = 0
        self._reported = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Report one line of the log."""
        if record.name.startswith(_OWN_LOG):
            return
        try:
            facts = record.msg if isinstance(record.msg, dict) else _facts_of(record)
            if "incident" in facts or self._has_room():
                self._trail.report(self._report(facts))
        except Exception:
            self.handleError(record)

    def _has_room(self) -> bool:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._reported = minute, 0
        self._reported += 1
        return self._reported <= _MOST_PER_MINUTE

    def _report(self, facts: Mapping[str, Any]) -> ErrorRecord:
        note, caller = calls.current_note(), calls.known_caller()
        context = trace.get_current_span().get_span_context()
        resource = _resource_in(facts) or subjects.resource_of(note.request, None)
        resource = resource or subjects.name_or_nothing(note.resource)
        moment = Timestamp()
        moment.FromNanoseconds(time.time_ns())
        return ErrorRecord(
            name=f"errorRecords/{facts.get('incident') or uuid.uuid4().hex}",
            time=moment,
            service=self._trail.service,
            event=_text(facts.get("event"), _EVENT_CHARACTERS),
            method=_text(facts.get("method", note.method), _NAME_CHARACTERS).lstrip("/"),
            principal=caller.principal.name[:_NAME_CHARACTERS] if caller else "",
            resource=resource,
            project=subjects.project_of(resource),
            trace_id=format(context.trace_id, "032x") if context.is_valid else "",
            error=_text(facts.get("error"), _ERROR_CHARACTERS),
            # The end of a trace says where it was.
            stack_trace=_text(facts.get("exception"), -_TRACE_CHARACTERS),
        )


def _facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a library's line says."""
    facts: dict[str, Any] = {"event": redaction.hidden(record.getMessage(), calls.secrets())}
    if record.exc_info and record.exc_info[1] is not None:
        text = "".join(traceback.format_exception(record.exc_info[1]))
        facts["exception"] = redaction.hidden(text, calls.secrets())
        facts["error"] = redaction.hidden(repr(record.exc_info[1]), calls.secrets())
    return facts


def _resource_in(facts: Mapping[str, Any]) -> str:
    found = (subjects.name_or_nothing(str(facts.get(key, ""))) for key in _SUBJECTS)
    return next((name for name in found if name), "")


def _text(value: object, most: int) -> str:
    """Return a value as text of so many characters; from its end when `most` is negative."""
    text = "" if value is None else str(value)
    text = text.encode(errors="replace").decode()
    return text[most:] if most < 0 else text[:most]
