"""What belongs to deleted projects is removed, again and again until it is gone."""

import asyncio
from collections.abc import Set

from mesh.access_state import AccessChange, AccessState
from mesh.clearing import Clearing


class Store:
    """Things of projects; clearing some of them fails a few times."""

    def __init__(self, *projects: str, failures: int = 0) -> None:
        self.has = set(projects)
        self.asked: list[str] = []
        self._failures = failures
        self.is_cleared = asyncio.Event()

    async def projects(self) -> Set[str]:
        """Return who has anything."""
        return frozenset(self.has)

    async def clear(self, project_id: str) -> None:
        """Remove all that a project has, or fail."""
        self.asked.append(project_id)
        if project_id == "stuck" and self._failures:
            self._failures -= 1
            raise OSError("no")
        self.has.discard(project_id)
        self.is_cleared.set()


def clearing_of(store: Store, state: AccessState) -> Clearing:
    """Return the clearing of a store, which tries again at once."""
    return Clearing(state, projects=store.projects, clear=store.clear, again_seconds=0.0)


async def test_nothing_is_asked_before_anything_is_deleted() -> None:
    """A service that knows of no deleted project leaves everything alone."""
    store = Store("garden")

    is_clear = await clearing_of(store, AccessState()).clear_all()

    assert (True, []) == (is_clear, store.asked)


async def test_only_deleted_projects_with_something_are_cleared() -> None:
    """Others stay, and those that have nothing here are not asked about."""
    store, state = Store("attic", "garden"), AccessState()
    state.apply(AccessChange(deleted_projects=frozenset({"attic", "kitchen"})))

    is_clear = await clearing_of(store, state).clear_all()

    assert (True, ["attic"], {"garden"}) == (is_clear, store.asked, store.has)


async def test_one_that_fails_does_not_keep_the_others_back() -> None:
    """It is told that something is left, and the next time it goes."""
    store, state = Store("stuck", "tiny", failures=1), AccessState()
    state.apply(AccessChange(deleted_projects=frozenset({"stuck", "tiny"})))
    clearing = clearing_of(store, state)

    outcomes = [await clearing.clear_all(), await clearing.clear_all()]

    assert [False, True] == outcomes
    assert set() == store.has


async def test_changes_are_followed_and_failures_tried_again() -> None:
    """As long as it runs, whatever is deleted goes."""
    store, state = Store("garden", "stuck", failures=2), AccessState()
    running = asyncio.create_task(clearing_of(store, state).run())
    await asyncio.sleep(0)

    state.apply(AccessChange(deleted_projects=frozenset({"stuck"})))
    await asyncio.wait_for(store.is_cleared.wait(), 10)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert ["stuck"] * 3 == store.asked
    assert {"garden"} == store.has


def test_deleted_projects_are_never_forgotten() -> None:
    """Not even by a complete state, which names them all anyway."""
    state = AccessState()

    state.apply(AccessChange(deleted_projects=frozenset({"attic"})))
    state.apply(AccessChange(is_complete=True, deleted_projects=frozenset({"garden"})))

    assert {"attic", "garden"} == state.deleted_projects
