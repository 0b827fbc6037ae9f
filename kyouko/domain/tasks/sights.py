"""What of a task somebody may know who may know of its network: the only place with this rule.

Whoever may know of a network sees that its tasks are there, how far they are and how they ended.
What a task reads and what it makes are data sets, each with an owner of its own: their names,
columns and what errors say of them are for its maker, and for those who may know of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from kyouko.domain.networks.seeing import SeenNetworks
from kyouko.domain.tasks.result import result_of
from kyouko.domain.tasks.task import Failure, Task
from kyouko.ports import DatasetDescription, Datasets
from mesh import names
from mesh.access import Caller
from mesh.errors import DomainError, NotFound
from mesh.visibility import EVERYTHING, Belonging, Sight, Visibility, sight_of

_SOMETHING: Final = "a resource of the task"
_INCIDENT: Final = "incident"


@dataclass(frozen=True)
class TaskSight:
    """Which data sets of a task somebody may know of."""

    rows: bool = True
    result: bool = True

    def of(self, task: Task) -> Task:
        """Return as much of a task as is seen."""
        if not self.rows:
            task = replace(task, dataset="", input_columns=(), target_column="", time_column="")
        if not self.result:
            task = replace(task, result_dataset_id="")
        if task.failure is not None and not (self.rows and self.result):
            task = replace(task, failure=_reason_of(task.failure))
        return task


_ALL: Final = TaskSight()


class TaskSights:
    """Finds out what callers may know of tasks; asks the archive whose the data sets are now."""

    def __init__(self, datasets: Datasets, seen: SeenNetworks) -> None:
        self._datasets = datasets
        self._seen = seen

    async def shown(self, caller: Caller, tasks: Sequence[Task]) -> Sequence[Task]:
        """Return of each task what the caller, who may know of its network, may know."""
        look = _Look(self._datasets, self._seen, caller)
        return [(await look.at(task)).of(task) for task in tasks]

    async def sight(self, caller: Caller, task: Task) -> TaskSight:
        """Return what the caller may know of a task at this moment."""
        return await _Look(self._datasets, self._seen, caller).at(task)


class _Look:
    """One look at some tasks: asks once for each data set, and not on when nobody answers."""

    def __init__(self, datasets: Datasets, seen: SeenNetworks, caller: Caller) -> None:
        self._datasets = datasets
        self._seen = seen
        self._caller = caller
        self._known: dict[str, DatasetDescription | None] = {}
        self._is_answered = True

    async def at(self, task: Task) -> TaskSight:
        principal = self._caller.principal
        made = Belonging(task.project_id, task.create_time, task.creator, task.creator_since)
        if made.is_of(principal.name, principal.since):
            return _ALL
        rows = await self._sees_rows(task)
        return TaskSight(rows, not task.result or await self._sees_result(task))

    async def _sees_rows(self, task: Task) -> bool:
        sight = self._sight_in(task.dataset)
        if sight == EVERYTHING:
            return True
        found = await self._described(task.dataset)
        # Of one that is gone, or replaced by another, nobody can tell any more.
        return found is not None and _is_of(task, found) and sight.shows(found.belonging)

    async def _sees_result(self, task: Task) -> bool:
        sight = self._sight_in(task.result)
        if sight == EVERYTHING:
            return True
        found = await self._described(task.result)
        if found is not None:
            return sight.shows(found.belonging)
        return self._is_answered and sight.shows(await self._result_to_come(task))

    async def _result_to_come(self, task: Task) -> Belonging:
        try:
            network = await self._seen.check(self._caller, task.project_id, task.network_id)
            of_network = network.belonging.visibility
        except NotFound:
            of_network = Visibility.PRIVATE
        rows = await self._described(task.dataset)
        of_rows = rows.visibility if rows is not None and _is_of(task, rows) else Visibility.PRIVATE
        new = result_of(task, network=of_network, rows=of_rows)
        return Belonging(
            new.project_id, task.create_time, new.owner, new.owner_since, new.visibility
        )

    def _sight_in(self, dataset: str) -> Sight:
        project_id, _ = names.parse("projects/*/datasets/*", dataset)
        return sight_of(self._caller, project_id)

    async def _described(self, name: str) -> DatasetDescription | None:
        if name not in self._known:
            self._known[name] = await self._asked(name) if self._is_answered else None
        return self._known[name]

    async def _asked(self, name: str) -> DatasetDescription | None:
        try:
            # As this service: who watches a task may do so for longer than one token lasts.
            return await self._datasets.describe(name)
        except NotFound:
            return None
        except DomainError:
            # The task is shown all the same, with what is for everybody.
            self._is_answered = False
            return None


def _is_of(task: Task, rows: DatasetDescription) -> bool:
    return task.dataset_etag in ("", rows.etag)


def _reason_of(failure: Failure) -> Failure:
    if failure.kind in ("NotFound", "AlreadyExists"):
        return replace(failure, message="", metadata={"resource": _SOMETHING})
    kept = {key: value for key, value in failure.metadata.items() if key == _INCIDENT}
    return replace(
        failure, message="why is for those who may know of what the task works with", metadata=kept
    )
