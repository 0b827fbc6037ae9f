"""Create the audit log and the error log."""

import sqlalchemy as sa
from alembic import op

from mesh.database import UtcTimestamp

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create both tables."""
    _create_audit_entries()
    _create_error_records()


def _sequence() -> sa.Column[int]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("sequence", number, nullable=False, autoincrement=True)


def _hex_id() -> sa.String:
    return sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False)


def _create_audit_entries() -> None:
    op.create_table(
        "audit_entries",
        _sequence(),
        sa.Column("entry_id", _hex_id(), nullable=False),
        _text("kind", 16),
        sa.Column("time", UtcTimestamp(), nullable=False),
        sa.Column("duration_microseconds", sa.BigInteger(), nullable=False),
        _text("principal", 160),
        _text("claimed_principal", 160),
        _text("service", 32),
        _text("method", 160),
        _text("resource", 256),
        _text("project_id", 63),
        _text("address", 64),
        _text("via", 64),
        _text("code", 32),
        _text("reason", 64),
        _text("incident", 32),
        _text("trace_id", 32),
        _text("token_id", 64),
        _text("stream_id", 32),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("caller_left", sa.Boolean(), nullable=False),
        sa.Column("lost_count", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit_entries"),
        sa.UniqueConstraint("entry_id", name="uq_audit_entries_entry_id"),
        sa.CheckConstraint(
            "kind IN ('CALL', 'STREAM_OPENED', 'STREAM_CLOSED', 'GAP')",
            name=op.f("ck_audit_entries_kind_known"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_entries_time", "audit_entries", ["time", "entry_id"])
    for column in ("principal", "claimed_principal", "project_id"):
        op.create_index(f"ix_audit_entries_{column}", "audit_entries", [column, "time"])


def _create_error_records() -> None:
    op.create_table(
        "error_records",
        _sequence(),
        sa.Column("incident", _hex_id(), nullable=False),
        sa.Column("time", UtcTimestamp(), nullable=False),
        _text("service", 32),
        _text("event", 500),
        _text("method", 160),
        _text("principal", 160),
        _text("resource", 256),
        _text("project_id", 63),
        _text("trace_id", 32),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("stack_trace", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_error_records"),
        sa.UniqueConstraint("incident", name="uq_error_records_incident"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_error_records_time", "error_records", ["time", "incident"])
    for column in ("principal", "project_id"):
        op.create_index(f"ix_error_records_{column}", "error_records", [column, "time"])
