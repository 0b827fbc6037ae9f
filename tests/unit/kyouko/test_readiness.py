"""Ready means that nothing required is missing."""

import pytest

from kyouko.readiness import Readiness
from mesh.health import Dependency


class Store:
    """A dependency that counts how often it is asked."""

    def __init__(self, *, is_there: bool) -> None:
        self.is_there = is_there
        self.asked = 0

    async def check(self) -> None:
        """Fail when it is not there."""
        self.asked += 1
        if not self.is_there:
            raise ConnectionError("gone")


@pytest.mark.parametrize(
    ("needed", "optional", "expected"),
    [(True, True, True), (True, False, True), (False, True, False)],
)
async def test_only_what_is_required_counts(needed: bool, optional: bool, expected: bool) -> None:
    """A missing optional dependency makes nothing unready."""
    readiness = Readiness(
        [
            Dependency("needed", Store(is_there=needed).check),
            Dependency("optional", Store(is_there=optional).check, required=False),
        ]
    )

    assert expected is await readiness.is_ready()


async def test_many_questions_are_one_check() -> None:
    """Who asks all the time does not burden the dependency."""
    store = Store(is_there=True)
    readiness = Readiness([Dependency("store", store.check)])

    answers = [await readiness.is_ready() for _ in range(20)]

    assert ([True] * 20, 1) == (answers, store.asked)
