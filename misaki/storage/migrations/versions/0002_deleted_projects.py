"""Keep the ids of deleted projects, so that they are never used again."""

import sqlalchemy as sa
from alembic import op

from mesh.database import UtcTimestamp

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the time of deletion; the projects that there are have none."""
    op.add_column("projects", sa.Column("delete_time", UtcTimestamp(), nullable=True))
