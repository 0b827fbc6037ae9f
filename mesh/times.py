"""Moments and spans of messages, which may hold what no calendar knows."""

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from mesh.errors import InvalidArgument


def moment_of(timestamp: Timestamp, *, field: str) -> datetime:
    """Return a moment that came over the wire.

    Raises:
        InvalidArgument: FIELD_INVALID: it is none.
    """
    try:
        return timestamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidArgument.for_field(
            field, "is no moment of the years 1 to 9999 with nanos from 0 to 999999999"
        ) from error


def span_of(duration: Duration, *, field: str) -> timedelta:
    """Return a span of time that came over the wire.

    Raises:
        InvalidArgument: FIELD_INVALID: it is none.
    """
    try:
        return duration.ToTimedelta()
    except (ValueError, OverflowError) as error:
        raise InvalidArgument.for_field(
            field, "is no span of at most 10000 years with nanos of the same sign"
        ) from error
