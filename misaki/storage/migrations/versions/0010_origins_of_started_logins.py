"""Keep where a login with another provider was started, so that it can be counted."""

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add the column; logins under way count as from nowhere, for the minutes they last."""
    op.add_column(
        "started_logins",
        sa.Column("origin_digest", sa.String(43), server_default="", nullable=False),
    )
    op.create_index("ix_started_logins_origin_digest", "started_logins", ["origin_digest"])
