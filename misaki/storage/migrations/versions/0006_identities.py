"""Keep which account of another provider is which user, and logins under way."""

import sqlalchemy as sa
from alembic import op

from mesh.database import UtcTimestamp

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create both tables; users that there are keep their passwords."""
    op.create_table(
        "identities",
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("user_id", _identifier(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_identities"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name="fk_identities_user_id_users", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_identities_user_id", "identities", ["user_id"])
    op.create_table(
        "started_logins",
        sa.Column("state_digest", sa.String(43), nullable=False),
        sa.Column("handle_digest", sa.String(43), nullable=False),
        sa.Column("provider_id", _identifier(), nullable=False),
        sa.Column("redirect_uri", sa.String(2048), nullable=False),
        sa.Column("expire_time", UtcTimestamp(), nullable=False),
        sa.PrimaryKeyConstraint("state_digest", name="pk_started_logins"),
    )
    op.create_index("ix_started_logins_expire_time", "started_logins", ["expire_time"])


def _identifier() -> sa.String:
    return sa.String(63).with_variant(sa.String(63, collation="C"), "postgresql")
