"""Note which data set of a name a task is over."""

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the column; tasks of before read whatever has the name."""
    op.add_column(
        "tasks", sa.Column("dataset_etag", sa.String(64), nullable=False, server_default="")
    )
