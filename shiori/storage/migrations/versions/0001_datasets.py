"""Create data sets and the answers of repeated calls."""

import sqlalchemy as sa
from alembic import op

from mesh.database import UtcTimestamp

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create all tables."""
    _create_datasets()
    _create_idempotency_keys()


def _identifier() -> sa.String:
    return sa.String(63).with_variant(sa.String(63, collation="C"), "postgresql")


def _create_datasets() -> None:
    op.create_table(
        "datasets",
        sa.Column("project_id", _identifier(), nullable=False),
        sa.Column("dataset_id", _identifier(), nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("create_time", UtcTimestamp(), nullable=False),
        sa.Column("creator", sa.String(160), nullable=False),
        sa.Column("etag", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "dataset_id", name="pk_datasets"),
        sa.CheckConstraint("format IN ('IDX', 'CSV')", name=op.f("ck_datasets_format_known")),
        sa.CheckConstraint("row_count > 0", name=op.f("ck_datasets_row_count_positive")),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_datasets_sha256_length")),
    )
    op.create_index("ix_datasets_sha256", "datasets", ["sha256"])


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("principal", sa.String(160), nullable=False),
        sa.Column("method", sa.String(160), nullable=False),
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("create_time", UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("principal", "method", "request_id", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_create_time", "idempotency_keys", ["create_time"])
