"""The tables of shiori's database."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from mesh.database import UtcTimestamp, new_metadata
from mesh.idempotency import idempotency_table


def _identifier() -> String:
    # Byte order everywhere, so that lists and page tokens do not depend on a locale.
    return String(63).with_variant(String(63, collation="C"), "postgresql")


class Base(DeclarativeBase):
    """What all tables of shiori have in common."""

    metadata = new_metadata()


class DatasetRow(Base):
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
    create_time: Mapped[datetime] = mapped_column(UtcTimestamp)
    creator: Mapped[str] = mapped_column(String(160))
    etag: Mapped[str] = mapped_column(String(32))


IDEMPOTENCY_KEYS = idempotency_table(Base.metadata)
