"""Moments of Python as the contracts have them."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp_of(moment: datetime | None) -> Timestamp | None:
    """Return a moment as a message.

    Raises:
        ValueError: it has no time zone.
    """
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
