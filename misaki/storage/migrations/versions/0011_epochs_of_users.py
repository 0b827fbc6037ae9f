"""Count for each user what ends the logins under way."""

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the column; nothing has been counted yet."""
    op.add_column("users", sa.Column("epoch", sa.Integer(), nullable=False, server_default="0"))
