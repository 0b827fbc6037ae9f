"""Remember which column of a data set says when its rows were measured."""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the column; tasks of before read no times."""
    op.add_column(
        "tasks", sa.Column("time_column", sa.String(256), nullable=False, server_default="")
    )
