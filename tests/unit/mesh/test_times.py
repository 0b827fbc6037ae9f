"""Moments and spans that come over the wire."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import InvalidArgument
from mesh.times import moment_of, span_of

SECONDS = st.integers(-(2**63), 2**63 - 1)
NANOS = st.integers(-(2**31), 2**31 - 1)


@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_moments_come_as_they_went(moment: datetime) -> None:
    """Whatever the calendar knows is taken, to the microsecond."""
    message = Timestamp()
    message.FromDatetime(moment)

    assert moment == moment_of(message, field="time")


@given(length=st.timedeltas(timedelta(days=-3_000_000), timedelta(days=3_000_000)))
def test_spans_come_as_they_went(length: timedelta) -> None:
    """Spans of some thousand years are taken, to the microsecond."""
    message = Duration()
    message.FromTimedelta(length)

    assert length == span_of(message, field="duration")


@given(seconds=SECONDS, nanos=NANOS)
def test_what_no_calendar_knows_is_refused(seconds: int, nanos: int) -> None:
    """No pair of numbers leads to another error than that of its field."""
    for read, message in (
        (moment_of, Timestamp(seconds=seconds, nanos=nanos)),
        (span_of, Duration(seconds=seconds, nanos=nanos)),
    ):
        field = "filter.start_time"
        try:
            read(message, field=field)  # type: ignore[operator]
        except InvalidArgument as error:
            field = error.metadata["field"]
        assert "filter.start_time" == field


@pytest.mark.parametrize(("seconds", "nanos"), [(2**62, 0), (-(2**62), 0), (0, -1), (0, 10**9)])
def test_hostile_moments_are_refused(seconds: int, nanos: int) -> None:
    """Years beyond 9999, and nanoseconds that are none, are FIELD_INVALID."""
    with pytest.raises(InvalidArgument):
        moment_of(Timestamp(seconds=seconds, nanos=nanos), field="time")
