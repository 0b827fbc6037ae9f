"""Counters that outlive a process."""

from azuki.domain.counters import ContinuedCounter, ProcessIdentity

FIRST = ProcessIdentity(pid=10, create_time=1.0)
# The same number, and yet another process.
SECOND = ProcessIdentity(pid=10, create_time=2.0)


def test_a_restarted_service_goes_on_counting() -> None:
    """The new process's count is added to what the old one had used."""
    counter = ContinuedCounter()

    totals = [
        counter.total("kyouko", FIRST, 5.0),
        counter.total("kyouko", FIRST, 7.0),
        counter.total("kyouko", SECOND, 0.5),
        counter.total("kyouko", SECOND, 1.0),
    ]

    assert [5.0, 7.0, 7.5, 8.0] == totals


def test_services_count_apart() -> None:
    """One service's restart does not touch another's count."""
    counter = ContinuedCounter()
    counter.total("kyouko", FIRST, 5.0)

    assert counter.total("misaki", SECOND, 1.0) == 1.0
