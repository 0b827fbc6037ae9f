"""Writes the entries of a call into the audit log, whatever becomes of the call."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import code_pb2
from hanami.shiori.v1 import audit_service_pb2 as pb
from opentelemetry import trace

from mesh import calls, status
from mesh.audit import rules, subjects
from mesh.audit.rules import AuditRules
from mesh.audit.trail import AuditTrail
from mesh.errors import DomainError
from mesh.interceptors.chain import Call, Layer
from mesh.origins import Origin, Origins

_MOST_CHARACTERS = 160
_REASON_CHARACTERS = 64


def audit(trail: AuditTrail, audit_rules: AuditRules, origins: Origins) -> Layer:
    """Return the layer; it goes around the one that turns errors into statuses."""

    @asynccontextmanager
    async def layer(call: Call) -> AsyncIterator[None]:
        rule = audit_rules.rule_of(call.method)
        if rule == rules.NEVER:
            yield
            return
        account = _Account(
            trail,
            call,
            origins.seen_in(call.context),
            is_login=audit_rules.is_login(call.method),
        )
        if rule == rules.ALWAYS:
            call.note.on_open = account.opened
        ended_well = False
        try:
            yield
            ended_well = True
        finally:
            code = code_pb2.OK if ended_well else _code_of(call)
            if rule == rules.ALWAYS or code == code_pb2.PERMISSION_DENIED:
                account.ended(code)

    return layer


@dataclass
class _Account:
    """What is told of one call: that it was opened, and how it ended."""

    trail: AuditTrail
    call: Call
    origin: Origin
    is_login: bool
    stream_id: str = ""
    started: int = field(default_factory=time.time_ns)

    def opened(self) -> None:
        """Tell that a stream has begun; once, however often it is said."""
        if not self.stream_id:
            self.stream_id = uuid.uuid4().hex
            self._write(self._entry(pb.AUDIT_KIND_STREAM_OPENED, time.time_ns()))

    def ended(self, code: int) -> None:
        """Tell how the call ended, if need be when its work has."""
        work = self.call.note.work
        if work is None:
            self._write(self._ending(code))
        elif work.done():
            self._worked(work)
        else:
            work.add_done_callback(self._worked)

    def _worked(self, work: "asyncio.Task[object]") -> None:
        note = self.call.note
        code: int = code_pb2.OK
        error = None if work.cancelled() else work.exception()
        if work.cancelled():
            code = code_pb2.CANCELLED
        elif isinstance(error, DomainError):
            ending = status.status_of(error)
            code, note.reason = ending.code, error.reason
        elif error is not None:
            code = code_pb2.INTERNAL
        else:
            note.answer, note.reason = work.result(), ""
        entry = self._ending(code)
        entry.caller_left = True
        self._write(entry)

    def _ending(self, code: int) -> pb.AuditEntry:
        now = time.time_ns()
        is_stream = self.call.streaming
        kind = pb.AUDIT_KIND_STREAM_CLOSED if is_stream else pb.AUDIT_KIND_CALL
        entry = self._entry(kind, now if is_stream else self.started)
        entry.duration.CopyFrom(_span(max(now - self.started, 0)))
        note = self.call.note
        entry.code = code
        entry.reason = note.reason[:_REASON_CHARACTERS]
        entry.incident = note.incident
        entry.row_count = note.row_count
        return entry

    def _entry(self, kind: "pb.AuditKind.ValueType", moment: int) -> pb.AuditEntry:
        note, caller = self.call.note, calls.known_caller()
        named = subjects.name_or_nothing(note.resource)
        resource = named or subjects.resource_of(note.request, note.answer)
        entry = pb.AuditEntry(
            entry_id=uuid.uuid4().hex,
            kind=kind,
            time=_timestamp(moment),
            service=self.trail.service,
            method=self.call.method.lstrip("/")[:_MOST_CHARACTERS],
            resource=resource,
            project=subjects.project_of(resource),
            address=self.origin.address,
            via=self.origin.via,
            trace_id=_trace_id(),
            stream_id=self.stream_id,
        )
        if caller is not None:
            entry.principal = caller.principal.name[:_MOST_CHARACTERS]
            entry.token_id = caller.principal.token_id[:_REASON_CHARACTERS]
        elif self.is_login:
            entry.claimed_principal = subjects.claimed_by(note.request)
            entry.principal = subjects.proven_by(note.answer) or (
                entry.claimed_principal if note.answer is not None else ""
            )
        return entry

    def _write(self, entry: pb.AuditEntry) -> None:
        self.trail.write(entry)


def _code_of(call: Call) -> int:
    """Return how a call ended that did not end well."""
    if call.note.code is not None:
        return call.note.code
    code: int | grpc.StatusCode | None = call.context.code()
    number = code.value[0] if isinstance(code, grpc.StatusCode) else code
    # Nothing else ends a call without a status.
    return int(number or code_pb2.CANCELLED)


def _trace_id() -> str:
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else ""


def _timestamp(nanoseconds: int) -> Timestamp:
    seconds, nanos = divmod(nanoseconds, 10**9)
    return Timestamp(seconds=seconds, nanos=nanos)


def _span(nanoseconds: int) -> Duration:
    seconds, nanos = divmod(nanoseconds, 10**9)
    return Duration(seconds=seconds, nanos=nanos)
