"""The tables of shiori's database."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from mesh.database import UtcTimestamp, new_metadata
from mesh.idempotency import idempotency_table
from mesh.owned_rows import OwnedRow


def _identifier() -> String:
    # Byte order everywhere, so that lists and page tokens do not depend on a locale.
    return String(63).with_variant(String(63, collation="C"), "postgresql")


class Base(DeclarativeBase):
    """What all tables of shiori have in common."""

    metadata = new_metadata()


class DatasetRow(OwnedRow, Base):
    """A data set; its rows lie in the blob that `sha256` names."""

    __tablename__ = "datasets"
    __table_args__ = (
        CheckConstraint("format IN ('IDX', 'CSV')", name="format_known"),
        CheckConstraint("row_count > 0", name="row_count_positive"),
        CheckConstraint("length(sha256) = 64", name="sha256_length"),
    )

    project_id: Mapped[str] = mapped_column(_identifier(), primary_key=True)
    dataset_id: Mapped[str] = mapped_column(_identifier(), primary_key=True)
    format: Mapped[str] = mapped_column(String(16))
    columns: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    row_count: Mapped[int] = mapped_column(BigInteger)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    creator: Mapped[str] = mapped_column(String(160))
    etag: Mapped[str] = mapped_column(String(32))


def _sequence() -> "Mapped[int]":
    return mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )


def _hex_id() -> String:
    return String(32).with_variant(String(32, collation="C"), "postgresql")


class AuditEntryRow(Base):
    """A line of the audit log; `sequence` is the order of arrival."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('CALL', 'STREAM_OPENED', 'STREAM_CLOSED', 'GAP')", name="kind_known"
        ),
        Index("ix_audit_entries_time", "time", "entry_id"),
        Index("ix_audit_entries_principal", "principal", "time"),
        Index("ix_audit_entries_claimed_principal", "claimed_principal", "time"),
        Index("ix_audit_entries_project_id", "project_id", "time"),
        # Sequences of removed entries must not come again: watches go on after them.
        {"sqlite_autoincrement": True},
    )

    sequence: Mapped[int] = _sequence()
    entry_id: Mapped[str] = mapped_column(_hex_id(), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    time: Mapped[datetime] = mapped_column(UtcTimestamp)
    duration_microseconds: Mapped[int] = mapped_column(BigInteger)
    principal: Mapped[str] = mapped_column(String(160))
    claimed_principal: Mapped[str] = mapped_column(String(160))
    service: Mapped[str] = mapped_column(String(32))
    method: Mapped[str] = mapped_column(String(160))
    resource: Mapped[str] = mapped_column(String(256))
    project_id: Mapped[str] = mapped_column(String(63))
    address: Mapped[str] = mapped_column(String(64))
    via: Mapped[str] = mapped_column(String(64))
    code: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(String(64))
    incident: Mapped[str] = mapped_column(String(32))
    trace_id: Mapped[str] = mapped_column(String(32))
    token_id: Mapped[str] = mapped_column(String(64))
    stream_id: Mapped[str] = mapped_column(String(32))
    row_count: Mapped[int] = mapped_column(BigInteger)
    caller_left: Mapped[bool]
    lost_count: Mapped[int] = mapped_column(BigInteger)
    size_bytes: Mapped[int]


class ErrorRecordRow(Base):
    """An error that a service logged; `sequence` is the order of arrival."""

    __tablename__ = "error_records"
    __table_args__ = (
        Index("ix_error_records_time", "time", "incident"),
        Index("ix_error_records_principal", "principal", "time"),
        Index("ix_error_records_project_id", "project_id", "time"),
        {"sqlite_autoincrement": True},
    )

    sequence: Mapped[int] = _sequence()
    incident: Mapped[str] = mapped_column(_hex_id(), unique=True)
    time: Mapped[datetime] = mapped_column(UtcTimestamp)
    service: Mapped[str] = mapped_column(String(32))
    event: Mapped[str] = mapped_column(String(500))
    method: Mapped[str] = mapped_column(String(160))
    principal: Mapped[str] = mapped_column(String(160))
    resource: Mapped[str] = mapped_column(String(256))
    project_id: Mapped[str] = mapped_column(String(63))
    trace_id: Mapped[str] = mapped_column(String(32))
    error: Mapped[str] = mapped_column(Text)
    stack_trace: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int]


IDEMPOTENCY_KEYS = idempotency_table(Base.metadata)
