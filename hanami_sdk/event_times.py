"""Times as people and devices write them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

# Numbers are seconds since 1970 below the first bound, then milli-, micro-, nanoseconds.
_UNITS = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))
_START = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(text: str) -> int:
    """Return nanoseconds since 1970 of a number or an ISO 8601 time; UTC where it names no zone.

    Raises:
        ValueError: it is neither.
    """
    if text.removeprefix("-").isdecimal():
        return _nanoseconds(int(text))
    try:
        number = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - _START) // timedelta(microseconds=1) * 1000
    if not math.isfinite(number):
        raise ValueError(text)
    return _nanoseconds(number)


def _nanoseconds(number: float) -> int:
    unit = next((unit for bound, unit in _UNITS if abs(number) < bound), 1)
    # Apart: a float of nanoseconds could not hold the digits that one of seconds has.
    whole, part = divmod(number, 1)
    found = int(whole) * unit + int(part * unit)
    if abs(found) >= 2**63:
        raise ValueError(str(number))
    return found
