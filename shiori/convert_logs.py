"""Between the messages of the logs' contracts and the objects of their domain."""

from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import code_pb2
from hanami.shiori.v1 import audit_service_pb2 as audit_pb
from hanami.shiori.v1 import error_service_pb2 as error_pb

from mesh import names
from mesh.pages import Page
from mesh.times import moment_of, span_of
from shiori.domain.logs.records import (
    AuditEntry,
    EntryFilter,
    ErrorFilter,
    ErrorRecord,
    Kind,
    Outcome,
)

_ERRORS = "errorRecords/*"


def entry_of(message: audit_pb.AuditEntry) -> AuditEntry:
    """Return an entry that a service sends."""
    return AuditEntry(
        entry_id=message.entry_id,
        kind=Kind(audit_pb.AuditKind.Name(message.kind).removeprefix("AUDIT_KIND_")),
        time=moment_of(message.time, field="time"),
        duration=span_of(message.duration, field="duration"),
        principal=message.principal,
        claimed_principal=message.claimed_principal,
        service=message.service,
        method=message.method,
        resource=message.resource,
        project_id=_project_id(message.project),
        address=message.address,
        via=message.via,
        code=code_pb2.Code.Name(message.code),
        reason=message.reason,
        incident=message.incident,
        trace_id=message.trace_id,
        token_id=message.token_id,
        stream_id=message.stream_id,
        row_count=message.row_count,
        caller_left=message.caller_left,
        lost_count=message.lost_count,
    )


def entry_message(entry: AuditEntry) -> audit_pb.AuditEntry:
    """Return an entry as a message."""
    return audit_pb.AuditEntry(
        entry_id=entry.entry_id,
        sequence=entry.sequence,
        kind=audit_pb.AuditKind.Value(f"AUDIT_KIND_{entry.kind}"),
        time=_timestamp(entry.time),
        duration=_span(entry.duration),
        principal=entry.principal,
        claimed_principal=entry.claimed_principal,
        service=entry.service,
        method=entry.method,
        resource=entry.resource,
        project=_project_name(entry.project_id),
        address=entry.address,
        via=entry.via,
        code=code_pb2.Code.Value(entry.code),
        reason=entry.reason,
        incident=entry.incident,
        trace_id=entry.trace_id,
        token_id=entry.token_id,
        stream_id=entry.stream_id,
        row_count=entry.row_count,
        caller_left=entry.caller_left,
        lost_count=entry.lost_count,
    )


def entry_filter(message: audit_pb.AuditFilter) -> EntryFilter:
    """Return which entries a client wants.

    Raises:
        InvalidArgument: FIELD_INVALID: the project's name.
    """
    outcome = audit_pb.AuditOutcome.Name(message.outcome).removeprefix("AUDIT_OUTCOME_")
    return EntryFilter(
        user=message.user,
        project_id=_asked_project(message.project),
        method=message.method.lstrip("/"),
        resource=message.resource,
        outcome=Outcome(outcome),
        start=_asked_moment(message, "start_time"),
        end=_asked_moment(message, "end_time"),
    )


def watch_start(request: audit_pb.WatchAuditEntriesRequest) -> int | None:
    """Return the sequence after which a watch goes on; None for now."""
    return request.after_sequence if request.HasField("after_sequence") else None


def entries_message(page: Page[AuditEntry]) -> audit_pb.ListAuditEntriesResponse:
    """Return a page of entries as a message."""
    return audit_pb.ListAuditEntriesResponse(
        entries=[entry_message(entry) for entry in page.items],
        next_page_token=page.next_page_token,
    )


def incident_of(name: str) -> str:
    """Return the incident in the name of a record."""
    return names.parse(_ERRORS, name)[0]


def error_of(message: error_pb.ErrorRecord) -> ErrorRecord:
    """Return a record that a service sends."""
    return ErrorRecord(
        incident=incident_of(message.name),
        time=moment_of(message.time, field="time"),
        service=message.service,
        event=message.event,
        method=message.method,
        principal=message.principal,
        resource=message.resource,
        project_id=_project_id(message.project),
        trace_id=message.trace_id,
        error=message.error,
        stack_trace=message.stack_trace,
    )


def error_message(error: ErrorRecord) -> error_pb.ErrorRecord:
    """Return a record as a message."""
    return error_pb.ErrorRecord(
        name=f"errorRecords/{error.incident}",
        time=_timestamp(error.time),
        service=error.service,
        event=error.event,
        method=error.method,
        principal=error.principal,
        resource=error.resource,
        project=_project_name(error.project_id),
        trace_id=error.trace_id,
        error=error.error,
        stack_trace=error.stack_trace,
    )


def error_filter(message: error_pb.ErrorFilter) -> ErrorFilter:
    """Return which records a client wants.

    Raises:
        InvalidArgument: FIELD_INVALID: the project's name.
    """
    return ErrorFilter(
        user=message.user,
        project_id=_asked_project(message.project),
        service=message.service,
        method=message.method.lstrip("/"),
        start=_asked_moment(message, "start_time"),
        end=_asked_moment(message, "end_time"),
    )


def errors_message(page: Page[ErrorRecord]) -> error_pb.ListErrorRecordsResponse:
    """Return a page of records as a message."""
    return error_pb.ListErrorRecordsResponse(
        errors=[error_message(error) for error in page.items],
        next_page_token=page.next_page_token,
    )


def _asked_project(name: str) -> str:
    return names.parse("projects/*", name, field="filter.project")[0] if name else ""


def _project_id(name: str) -> str:
    return names.parse("projects/*", name, field="project")[0] if name else ""


def _project_name(project_id: str) -> str:
    return f"projects/{project_id}" if project_id else ""


def _asked_moment(
    message: audit_pb.AuditFilter | error_pb.ErrorFilter, name: str
) -> datetime | None:
    if not message.HasField(name):  # type: ignore[arg-type]
        return None
    return moment_of(getattr(message, name), field=f"filter.{name}")


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


def _span(length: timedelta) -> Duration:
    duration = Duration()
    duration.FromTimedelta(length)
    return duration
