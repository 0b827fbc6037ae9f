"""Rows per second: who may send how much when."""

import pytest

from kyouko.domain.rates import RowRates
from mesh.quota_counts import QuotaCounts, QuotaWarning
from mesh.quotas import Quota, QuotaBook, QuotaExceeded

GARDEN, ALICE = "projects/garden", "users/alice"
RATE = Quota.ROWS_PER_SECOND


class Stage:
    """Rates under a clock that stands still until it is moved."""

    def __init__(self, **limits: int) -> None:
        self.now = 1000.0
        self.warnings: list[QuotaWarning] = []
        self.book = QuotaBook()
        self.book.change(
            {f"{kind}/{name}": {RATE: limits[kind]} for kind, name in _NAMES if kind in limits}
        )
        self.counts = QuotaCounts(self.book, warn=self.warnings.append)
        self.rates = RowRates(self.counts, now=lambda: self.now)

    def used(self) -> tuple[int, int]:
        """Return the measured rates of the project and of alice."""
        return self.counts.used(GARDEN, RATE), self.counts.used(ALICE, RATE)


_NAMES = (("projects", "garden"), ("users", "alice"))


def test_a_second_s_worth_comes_at_once() -> None:
    """After a silence rows are let in until a second's worth has come."""
    stage = Stage(projects=100)
    with stage.rates.pacing([GARDEN]) as pace:
        pace.take(100)
        at_most = pace.seconds_ahead()
        pace.take(50)
        beyond = pace.seconds_ahead()

    assert (0.0, 0.5) == (at_most, beyond)


def test_waiting_lets_in_what_the_rate_allows() -> None:
    """In the long run as many rows come as are allowed, whatever the size of frames."""
    stage = Stage(projects=100)
    came = 0
    with stage.rates.pacing([GARDEN]) as pace:
        for _ in range(1000):
            if pace.seconds_ahead() <= 0:
                pace.take(7)
                came += 7
            stage.now += 0.01

    assert 1000 <= came <= 1000 + 100 + 7


@pytest.mark.parametrize(("projects", "users"), [(10, 1000), (1000, 10)])
def test_the_lower_limit_holds(projects: int, users: int) -> None:
    """Project and user both have to have room."""
    stage = Stage(projects=projects, users=users)
    with stage.rates.pacing([GARDEN, ALICE]) as pace:
        pace.take(30)

        assert 2.0 == pace.seconds_ahead()
        assert 100 == pace.most_frame_rows()


def test_streams_share_what_their_project_may() -> None:
    """Two streams together are no faster than one; nor is one that is opened again."""
    stage = Stage(projects=10)
    with stage.rates.pacing([GARDEN]) as one, stage.rates.pacing([GARDEN, ALICE]) as two:
        one.take(20)
        ahead = two.seconds_ahead()
    stage.rates.measure()
    with stage.rates.pacing([GARDEN]) as again:
        assert ahead == again.seconds_ahead() == 1.0


def test_nobody_waits_for_more_than_a_minute() -> None:
    """Many frames at once of many streams do not close a project for hours."""
    stage = Stage(projects=1)
    with stage.rates.pacing([GARDEN]) as pace:
        pace.take(10**6)

        assert 60.0 == pace.seconds_ahead()


def test_another_limit_counts_for_the_next_row() -> None:
    """An open stream follows its quota."""
    stage = Stage(projects=10)
    with stage.rates.pacing([GARDEN]) as pace:
        stage.book.change({GARDEN: {RATE: 1000}})
        pace.take(1000)

        assert 0.0 == pace.seconds_ahead()


def test_refusal_tells_when_to_come_again() -> None:
    """Whole seconds, rounded up, and whose limit it is."""
    stage = Stage(users=10)
    with stage.rates.pacing([GARDEN, ALICE]) as pace:
        pace.take(25)
        error = pace.refusal()

    assert (ALICE, "2") == (error.subject, error.metadata["retry_seconds"])


def test_no_rows_at_all_are_refused_at_once() -> None:
    """A limit of nothing lets nobody begin."""
    stage = Stage(users=0)

    with pytest.raises(QuotaExceeded) as caught, stage.rates.pacing([GARDEN, ALICE]):
        pass

    assert ALICE == caught.value.subject


def test_the_rate_of_the_last_second_is_measured() -> None:
    """What came in it counts, what came before does not, and silence is nothing."""
    stage = Stage()
    with stage.rates.pacing([GARDEN, ALICE]) as pace:
        stage.rates.measure()
        for _ in range(8):
            pace.take(50)
            stage.now += 0.25
            stage.rates.measure()
        during = stage.used()
        for _ in range(5):
            stage.now += 0.25
            stage.rates.measure()

    assert (200, 200) == during
    assert (0, 0) == stage.used()


def test_warning_comes_once_when_the_rate_comes_near() -> None:
    """Not with every look while it stays there."""
    stage = Stage(projects=100)
    with stage.rates.pacing([GARDEN]) as pace:
        stage.rates.measure()
        for _ in range(12):
            pace.take(24)
            stage.now += 0.25
            stage.rates.measure()

    assert [GARDEN] == [warning.subject for warning in stage.warnings]
