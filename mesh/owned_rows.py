"""Tables whose rows belong to somebody: their columns, and the query for what somebody sees."""

from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, String, and_, or_
from sqlalchemy.orm import Mapped, mapped_column

from mesh.database import UtcTimestamp
from mesh.visibility import Sight, from_microseconds


class OwnedRow:
    """The columns for `mesh.visibility.Belonging`."""

    create_time: Mapped[datetime] = mapped_column(UtcTimestamp)
    owner: Mapped[str] = mapped_column(String(160), server_default="")
    owner_since: Mapped[int] = mapped_column(BigInteger, server_default="0")
    visibility: Mapped[str] = mapped_column(String(8), server_default="SHARED")


def in_sight(row: type[OwnedRow], sight: Sight) -> ColumnElement[bool]:
    """Return the condition that a row is seen; the same as `Sight.shows`."""
    seen = row.visibility.in_(sorted(each.value for each in sight.visibilities))
    if not sight.owner or not sight.owner_since:
        return seen
    since = from_microseconds(sight.owner_since)
    is_older = and_(row.owner_since == 0, row.create_time >= since)
    is_own = or_(row.owner_since == sight.owner_since, is_older)
    return or_(seen, and_(row.owner == sight.owner, is_own))
