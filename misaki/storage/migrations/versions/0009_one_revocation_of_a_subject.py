"""Keep one revocation of each subject, so that repeating one does not fill the table."""

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None

# The one that reaches furthest is the one that counts.
_ALL_BUT_THE_FURTHEST = """
DELETE FROM revocations WHERE EXISTS (
    SELECT 1 FROM revocations AS other
    WHERE other.subject = revocations.subject
    AND (
        other.issued_before > revocations.issued_before
        OR (
            other.issued_before = revocations.issued_before
            AND other.sequence > revocations.sequence
        )
    )
)
"""


def upgrade() -> None:
    """Delete the others, and let there be no more of them."""
    op.execute(sa.text(_ALL_BUT_THE_FURTHEST))
    op.drop_index("ix_revocations_subject", "revocations")
    op.create_index("ix_revocations_subject", "revocations", ["subject"], unique=True)
