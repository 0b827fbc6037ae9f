"""Let users be disabled, keep their logins, and count wrong passwords.

Refresh tokens made before belong to no session: their users log in once more.
"""

import sqlalchemy as sa
from alembic import op

from mesh.database import UtcTimestamp

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the columns, with what holds for the rows there are, and the tables."""
    op.add_column(
        "users", sa.Column("disabled", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column(
        "members", sa.Column("etag", sa.String(32), nullable=False, server_default="first")
    )
    _create_sessions()
    op.create_table(
        "attempts",
        sa.Column("key", sa.String(43), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failure", UtcTimestamp(), nullable=False),
        sa.Column("blocked_until", UtcTimestamp(), nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_attempts"),
    )
    op.create_index("ix_attempts_last_failure", "attempts", ["last_failure"])


def _identifier() -> sa.String:
    return sa.String(63).with_variant(sa.String(63, collation="C"), "postgresql")


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("session_id", _identifier(), nullable=False),
        sa.Column("user_id", _identifier(), nullable=False),
        sa.Column("project_id", _identifier(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("create_time", UtcTimestamp(), nullable=False),
        sa.Column("renew_time", UtcTimestamp(), nullable=False),
        sa.Column("expire_time", UtcTimestamp(), nullable=False),
        sa.Column("origin", sa.String(64), nullable=False),
        sa.Column("client", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_sessions"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name="fk_sessions_user_id_users", ondelete="CASCADE"
        ),
    )
    for column in ("user_id", "project_id", "expire_time"):
        op.create_index(f"ix_sessions_{column}", "sessions", [column])
