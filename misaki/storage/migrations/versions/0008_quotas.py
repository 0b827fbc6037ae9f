"""Keep the limits of projects and users that differ from the defaults."""

import sqlalchemy as sa
from alembic import op

from mesh.database import UtcTimestamp

revision: str = "0008"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create the table; the defaults count for all that there are."""
    op.create_table(
        "quotas",
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("project_id", _identifier(), nullable=True),
        sa.Column("user_id", _identifier(), nullable=True),
        sa.Column("granted", sa.JSON(), nullable=False),
        sa.Column("chosen", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("etag", sa.String(32), nullable=False),
        sa.Column("update_time", UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_quotas"),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.project_id"],
            name="fk_quotas_project_id_projects",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name="fk_quotas_user_id_users", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_quotas_project_id", "quotas", ["project_id"])
    op.create_index("ix_quotas_user_id", "quotas", ["user_id"])


def _identifier() -> sa.String:
    return sa.String(63).with_variant(sa.String(63, collation="C"), "postgresql")
