"""Keep the versions of the policy, and which tokens have been taken back."""

import sqlalchemy as sa
from alembic import op

from mesh.database import UtcTimestamp

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "revocations",
        sa.Column("sequence", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("issued_before", UtcTimestamp(), nullable=False),
        sa.Column("expire_time", UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_revocations"),
    )
    op.create_index("ix_revocations_subject", "revocations", ["subject"])
    op.create_index("ix_revocations_expire_time", "revocations", ["expire_time"])
    op.create_table(
        "policies",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("author", sa.String(160), nullable=False),
        sa.Column("create_time", UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_policies"),
        sa.CheckConstraint("version >= 1", name=op.f("ck_policies_version_at_least_one")),
    )
