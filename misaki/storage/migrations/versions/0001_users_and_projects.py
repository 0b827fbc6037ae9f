"""Create users, projects, memberships and the answers of repeated calls."""

import sqlalchemy as sa
from alembic import op

from mesh.database import UtcTimestamp

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create all tables."""
    _create_users()
    _create_projects()
    _create_members()
    _create_idempotency_keys()


def _identifier() -> sa.String:
    return sa.String(63).with_variant(sa.String(63, collation="C"), "postgresql")


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("user_id", _identifier(), nullable=False),
        sa.Column("uid", sa.String(32), nullable=False),
        sa.Column("display_name", sa.String(128), nullable=False),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.String(256), nullable=False),
        sa.Column("create_time", UtcTimestamp(), nullable=False),
        sa.Column("etag", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_users"),
        sa.UniqueConstraint("uid", name="uq_users_uid"),
        sa.CheckConstraint("length(user_id) >= 3", name=op.f("ck_users_user_id_length")),
    )


def _create_projects() -> None:
    op.create_table(
        "projects",
        sa.Column("project_id", _identifier(), nullable=False),
        sa.Column("display_name", sa.String(128), nullable=False),
        sa.Column("creator_id", _identifier(), nullable=False),
        sa.Column("create_time", UtcTimestamp(), nullable=False),
        sa.Column("etag", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name="pk_projects"),
        sa.CheckConstraint("length(project_id) >= 2", name=op.f("ck_projects_project_id_length")),
    )


def _create_members() -> None:
    op.create_table(
        "members",
        sa.Column("project_id", _identifier(), nullable=False),
        sa.Column("user_id", _identifier(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("create_time", UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "user_id", name="pk_members"),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.project_id"],
            name="fk_members_project_id_projects",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name="fk_members_user_id_users", ondelete="CASCADE"
        ),
        sa.CheckConstraint(
            "role IN ('PROJECT_ADMIN', 'MEMBER', 'VIEWER')",
            name=op.f("ck_members_role_of_project"),
        ),
    )
    op.create_index("ix_members_user_id", "members", ["user_id"])


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
