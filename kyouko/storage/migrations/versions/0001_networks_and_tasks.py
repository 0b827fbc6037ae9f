"""Create networks, tasks and the answers of repeated calls."""

import sqlalchemy as sa
from alembic import op

from mesh.database import UtcTimestamp

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create all tables."""
    _create_networks()
    _create_tasks()
    _create_idempotency_keys()


def _identifier() -> sa.String:
    return sa.String(63).with_variant(sa.String(63, collation="C"), "postgresql")


def _create_networks() -> None:
    op.create_table(
        "networks",
        sa.Column("uid", sa.String(32), nullable=False),
        sa.Column("project_id", _identifier(), nullable=False),
        sa.Column("network_id", _identifier(), nullable=False),
        sa.Column("structure", sa.JSON(), nullable=False),
        sa.Column("statistics", sa.JSON(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("kept_rows", sa.BigInteger(), nullable=False),
        sa.Column("snapshot", sa.String(160), nullable=False),
        sa.Column("creator", sa.String(160), nullable=False),
        sa.Column("create_time", UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_networks"),
        sa.UniqueConstraint("project_id", "network_id", name="uq_networks_name"),
        sa.CheckConstraint("kept_rows >= 0", name=op.f("ck_networks_kept_rows_not_negative")),
    )


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("network_uid", sa.String(32), nullable=False),
        sa.Column("project_id", _identifier(), nullable=False),
        sa.Column("network_id", _identifier(), nullable=False),
        sa.Column("task_id", _identifier(), nullable=False),
        sa.Column("work", sa.String(16), nullable=False),
        sa.Column("dataset", sa.String(160), nullable=False),
        sa.Column("epochs", sa.Integer(), nullable=False),
        sa.Column("input_columns", sa.JSON(), nullable=False),
        sa.Column("target_column", sa.String(256), nullable=False),
        sa.Column("result_dataset_id", sa.String(63), nullable=False),
        sa.Column("is_classes", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("failure", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("trace", sa.JSON(), nullable=False),
        sa.Column("creator", sa.String(160), nullable=False),
        sa.Column("create_time", UtcTimestamp(), nullable=False),
        sa.Column("start_time", UtcTimestamp(), nullable=True),
        sa.Column("end_time", UtcTimestamp(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_tasks"),
        sa.UniqueConstraint("network_uid", "task_id", name="uq_tasks_name"),
        sa.ForeignKeyConstraint(
            ["network_uid"],
            ["networks.uid"],
            name="fk_tasks_network_uid_networks",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "state IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')",
            name=op.f("ck_tasks_state"),
        ),
        sa.CheckConstraint("work IN ('LEARN', 'PREDICT')", name=op.f("ck_tasks_work")),
        sa.CheckConstraint("epochs >= 1", name=op.f("ck_tasks_epochs_positive")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tasks_project_id_number", "tasks", ["project_id", "number"])
    op.create_index("ix_tasks_state", "tasks", ["state"])


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
