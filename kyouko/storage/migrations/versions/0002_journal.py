"""Remember where in the journal a snapshot is, the snapshot before it, and what was lost."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the columns; networks of before have neither journal nor earlier snapshots."""
    op.add_column(
        "networks", sa.Column("snapshot_before", sa.String(160), nullable=False, server_default="")
    )
    op.add_column(
        "networks",
        sa.Column("journal_position", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.add_column(
        "networks", sa.Column("problem", sa.String(1024), nullable=False, server_default="")
    )
