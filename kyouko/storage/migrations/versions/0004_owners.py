"""Note whose networks are and who may know of them, and since when who made tasks."""

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the columns; what was there belongs to who made it, and stays open to the project."""
    _add("networks", sa.Column("owner", sa.String(160), nullable=False, server_default=""))
    _add("networks", sa.Column("owner_since", sa.BigInteger(), nullable=False, server_default="0"))
    _add("networks", sa.Column("visibility", sa.String(8), nullable=False, server_default="SHARED"))
    op.execute("UPDATE networks SET owner = creator WHERE creator NOT LIKE 'services/%'")
    _add("tasks", sa.Column("creator_since", sa.BigInteger(), nullable=False, server_default="0"))


def _add(table: str, column: "sa.Column[object]") -> None:
    op.add_column(table, column)
