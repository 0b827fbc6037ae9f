"""Keep API keys and clients of projects, their secrets as digests."""

import sqlalchemy as sa
from alembic import op

from mesh.database import UtcTimestamp

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "credentials",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("project_id", _identifier(), nullable=False),
        sa.Column("credential_id", _identifier(), nullable=False),
        sa.Column("uid", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(43), nullable=False),
        sa.Column("display_name", sa.String(128), nullable=False),
        sa.Column("creator", sa.String(160), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("network_id", _identifier(), nullable=False),
        sa.Column("actions", sa.String(64), nullable=False),
        sa.Column("create_time", UtcTimestamp(), nullable=False),
        sa.Column("expire_time", UtcTimestamp(), nullable=True),
        sa.Column("last_use_time", UtcTimestamp(), nullable=True),
        sa.Column("etag", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("kind", "project_id", "credential_id", name="pk_credentials"),
        sa.UniqueConstraint("uid", name="uq_credentials_uid"),
        sa.UniqueConstraint("digest", name="uq_credentials_digest"),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.project_id"],
            name="fk_credentials_project_id_projects",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "kind IN ('apiKeys', 'clients')", name=op.f("ck_credentials_kind_known")
        ),
        sa.CheckConstraint(
            "role IN ('', 'PROJECT_ADMIN', 'MEMBER', 'VIEWER')",
            name=op.f("ck_credentials_role_of_project"),
        ),
    )
    op.create_index("ix_credentials_project_id", "credentials", ["project_id"])


def _identifier() -> sa.String:
    return sa.String(63).with_variant(sa.String(63, collation="C"), "postgresql")
