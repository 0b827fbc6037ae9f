"""The tables of kyouko."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from mesh.database import UtcTimestamp, new_metadata
from mesh.idempotency import idempotency_table
from mesh.owned_rows import OwnedRow


def _identifier() -> String:
    # Byte order everywhere, so that lists and page tokens do not depend on a locale.
    return String(63).with_variant(String(63, collation="C"), "postgresql")


class Base(DeclarativeBase):
    """What all tables of kyouko have in common."""

    metadata = new_metadata()


class NetworkRow(OwnedRow, Base):
    """A network, and the snapshot that holds what it has learned."""

    __tablename__ = "networks"
    __table_args__ = (
        UniqueConstraint("project_id", "network_id", name="uq_networks_name"),
        CheckConstraint("kept_rows >= 0", name="kept_rows_not_negative"),
    )

    uid: Mapped[str] = mapped_column(String(32), primary_key=True)
    project_id: Mapped[str] = mapped_column(_identifier())
    network_id: Mapped[str] = mapped_column(_identifier())
    structure: Mapped[dict[str, Any]] = mapped_column(JSON)
    statistics: Mapped[dict[str, Any]] = mapped_column(JSON)
    labels: Mapped[list[str]] = mapped_column(JSON)
    kept_rows: Mapped[int] = mapped_column(BigInteger)
    snapshot: Mapped[str] = mapped_column(String(160))
    snapshot_before: Mapped[str] = mapped_column(String(160))
    journal_position: Mapped[int] = mapped_column(BigInteger)
    problem: Mapped[str] = mapped_column(String(1024))
    creator: Mapped[str] = mapped_column(String(160))


class TaskRow(Base):
    """A task; goes with its network. Its number is the order of the queue."""

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("network_uid", "task_id", name="uq_tasks_name"),
        Index("ix_tasks_project_id_number", "project_id", "number"),
        CheckConstraint(
            "state IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')", name="state"
        ),
        CheckConstraint("work IN ('LEARN', 'PREDICT')", name="work"),
        CheckConstraint("epochs >= 1", name="epochs_positive"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    network_uid: Mapped[str] = mapped_column(ForeignKey("networks.uid", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(_identifier())
    network_id: Mapped[str] = mapped_column(_identifier())
    task_id: Mapped[str] = mapped_column(_identifier())
    work: Mapped[str] = mapped_column(String(16))
    dataset: Mapped[str] = mapped_column(String(160))
    dataset_etag: Mapped[str] = mapped_column(String(64), server_default="")
    epochs: Mapped[int]
    input_columns: Mapped[list[str]] = mapped_column(JSON)
    target_column: Mapped[str] = mapped_column(String(256))
    time_column: Mapped[str] = mapped_column(String(256))
    result_dataset_id: Mapped[str] = mapped_column(String(63))
    is_classes: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[str] = mapped_column(String(16), index=True)
    progress: Mapped[dict[str, Any]] = mapped_column(JSON)
    failure: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    trace: Mapped[dict[str, str]] = mapped_column(JSON)
    creator: Mapped[str] = mapped_column(String(160))
    creator_since: Mapped[int] = mapped_column(BigInteger, server_default="0")
    create_time: Mapped[datetime] = mapped_column(UtcTimestamp)
    start_time: Mapped[datetime | None] = mapped_column(UtcTimestamp)
    end_time: Mapped[datetime | None] = mapped_column(UtcTimestamp)


IDEMPOTENCY_KEYS = idempotency_table(Base.metadata)
