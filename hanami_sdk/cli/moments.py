"""Points in time as people type and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SPAN = re.compile(r"(\d{1,6})([smhd])")


def moment_in(text: str | None) -> datetime | None:
    """Return the moment that an option means: `2h` (ago), or a date with or without a time.

    Without a time zone it is the one of this machine.
    """
    if text is None:
        return None
    span = _SPAN.fullmatch(text)
    if span:
        return datetime.now(UTC) - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is neither a time such as 2026-05-01T12:00 nor a span such as 30m, 2h or 7d"
        ) from error


def moment_ahead(text: str | None) -> datetime | None:
    """Return the moment that an option means: `90d` (from now), or a date with or without a time.

    Without a time zone it is the one of this machine.
    """
    if text is None:
        return None
    span = _SPAN.fullmatch(text)
    if span:
        return datetime.now(UTC) + timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is neither a time such as 2027-05-01 nor a span such as 12h or 90d"
        ) from error


def moment_text(timestamp: Timestamp) -> str:
    """Return a moment in the time zone of this machine, to the second."""
    moment = timestamp.ToDatetime(tzinfo=UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")
