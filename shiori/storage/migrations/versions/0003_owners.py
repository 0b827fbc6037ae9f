"""Note whose data sets are, and who may know of them."""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the columns; what was there belongs to who made it, and stays open to the project.

    Predictions of tasks were uploaded by a service: they belong to nobody, as it was not noted
    whose the tasks were.
    """
    _add(sa.Column("owner", sa.String(160), nullable=False, server_default=""))
    _add(sa.Column("owner_since", sa.BigInteger(), nullable=False, server_default="0"))
    _add(sa.Column("visibility", sa.String(8), nullable=False, server_default="SHARED"))
    op.execute("UPDATE datasets SET owner = creator WHERE creator NOT LIKE 'services/%'")


def _add(column: "sa.Column[object]") -> None:
    op.add_column("datasets", column)
