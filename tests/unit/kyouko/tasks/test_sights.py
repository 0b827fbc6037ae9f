"""What of a task is seen by those who may know of its network, and not of its data sets."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kyouko.convert.tasks import task_message
from kyouko.domain.networks.seeing import SeenNetworks
from kyouko.domain.tasks.result import NewDataset
from kyouko.domain.tasks.sights import TaskSights
from kyouko.domain.tasks.task import Failure, Task, TaskState
from kyouko.ports import DatasetDescription, DatasetSource, RowRange
from mesh.access import Caller, Principal, Role
from mesh.clients import unavailable
from mesh.errors import NotFound
from mesh.visibility import Visibility, microseconds
from tests.contract.kyouko.builders import NOON, network, task
from tests.contract.kyouko.in_memory import MemoryNetworkRepository
from tests.factories import caller

SINCE = microseconds(NOON) - 9
IRIS = "projects/flowers/datasets/iris"
RESULTS = "projects/flowers/datasets/results"
MADE = replace(
    task(),
    creator="users/alice",
    creator_since=SINCE,
    dataset=IRIS,
    dataset_etag="first",
    result_dataset_id="results",
)


def member(name: str, since: int, role: Role = Role.MEMBER) -> Caller:
    """Return somebody with a role in the project."""
    return caller(Principal(name, project_roles={"flowers": role}, since=since))


MAKER = member("users/alice", SINCE)
NAMESAKE = member("users/alice", microseconds(NOON) + 9)
OWNER = member("users/olga", SINCE)
BOB = member("users/bob", 1)
HEAD = member("users/head", 1, Role.PROJECT_ADMIN)


class Archive:
    """An archive that only describes.

    Attributes:
        there: data sets by name.
        asked: for which ones, and by which tokens, it was asked.
        is_away: whether it answers at all.
    """

    def __init__(self, *there: DatasetDescription) -> None:
        self.there = {each.name: each for each in there}
        self.asked: list[tuple[str, str]] = []
        self.is_away = False

    async def describe(self, name: str, *, token: str = "") -> DatasetDescription:
        """Return a data set."""
        self.asked.append((name, token))
        if self.is_away:
            raise unavailable("shiori")
        if name not in self.there:
            raise NotFound(name)
        return self.there[name]

    async def read(
        self, source: DatasetSource, columns: Sequence[str], start_row: int, *, together: int
    ) -> AsyncGenerator[RowRange, None]:
        """Have no rows."""
        raise NotFound(source.name)
        yield

    async def is_ours(self, project_id: str, dataset_id: str) -> bool:
        """Have stored nothing."""
        return False

    async def upload_csv(self, new: NewDataset, path: Path) -> None:
        """Take nothing."""
        raise unavailable("shiori")


def rows(visibility: Visibility, etag: str = "first") -> DatasetDescription:
    """Return what is known of the data set that the task reads; olga's."""
    return DatasetDescription(IRIS, [], 9, visibility, etag, NOON, owner="users/olga")


def result(visibility: Visibility) -> DatasetDescription:
    """Return what is known of the data set that the task has made; its maker's."""
    return DatasetDescription(RESULTS, [], 9, visibility, "", NOON, owner="users/alice")


async def shown(archive: Archive, who: Caller, *tasks: Task) -> Sequence[Task]:
    """Return what somebody sees of tasks of a shared network."""
    networks = MemoryNetworkRepository()
    await networks.create(network())
    return await TaskSights(archive, SeenNetworks(networks)).shown(who, tasks or [MADE])


PRIVATE_ROWS = [rows(Visibility.PRIVATE)]
SHARED_ROWS = [rows(Visibility.SHARED)]


@pytest.mark.parametrize(
    ("who", "there", "sees_rows", "sees_result"),
    [
        pytest.param(MAKER, PRIVATE_ROWS, True, True, id="its maker"),
        pytest.param(MAKER, [], True, True, id="its maker, whose data set is gone"),
        pytest.param(HEAD, PRIVATE_ROWS, True, True, id="a project admin"),
        pytest.param(OWNER, PRIVATE_ROWS, True, False, id="the data set's owner"),
        pytest.param(BOB, PRIVATE_ROWS, False, False, id="another member"),
        pytest.param(NAMESAKE, PRIVATE_ROWS, False, False, id="a later one of the maker's name"),
        pytest.param(BOB, SHARED_ROWS, True, True, id="shared"),
        pytest.param(BOB, [], False, False, id="gone"),
        pytest.param(BOB, [rows(Visibility.SHARED, "second")], False, False, id="replaced"),
        pytest.param(
            BOB, [*SHARED_ROWS, result(Visibility.PRIVATE)], True, False, id="private result"
        ),
        pytest.param(
            BOB, [*PRIVATE_ROWS, result(Visibility.SHARED)], False, True, id="shared result"
        ),
    ],
)
async def test_data_sets_are_named_to_those_who_may_know_of_them(
    who: Caller, there: Sequence[DatasetDescription], sees_rows: bool, sees_result: bool
) -> None:
    """Names and columns; that the task is there, and how far it is, is seen anyway."""
    (seen,) = await shown(Archive(*there), who)

    of_rows = (seen.dataset, seen.input_columns, seen.target_column, seen.time_column)
    assert ((IRIS, ("a", "b"), "kind", "at") if sees_rows else ("", (), "", "")) == of_rows
    assert (RESULTS if sees_result else "") == seen.result
    assert (MADE.name, MADE.progress) == (seen.name, seen.progress)


@pytest.mark.parametrize(
    ("failure", "metadata"),
    [
        (Failure("NotFound", "", "RESOURCE_NOT_FOUND", {"resource": IRIS}), {"resource"}),
        (Failure("AlreadyExists", "", "RESOURCE_EXISTS", {"resource": RESULTS}), {"resource"}),
        (Failure("Aborted", f"{IRIS} is new", "ETAG_MISMATCH", {"resource": IRIS}), set()),
        (Failure("Internal", "", "INTERNAL", {"incident": "17"}), {"incident"}),
    ],
)
async def test_errors_name_their_reason_only(failure: Failure, metadata: set[str]) -> None:
    """Who may not know of a data set does not read of it in the error of a task either."""
    failed = MADE.ended(TaskState.FAILED, NOON, failure)

    (seen,) = await shown(Archive(*PRIVATE_ROWS), BOB, failed)
    (made,) = await shown(Archive(*PRIVATE_ROWS), MAKER, failed)

    message = task_message(seen)
    assert seen.failure is not None
    assert (failure.kind, failure.reason) == (seen.failure.kind, seen.failure.reason)
    assert metadata == set(seen.failure.metadata)
    assert "iris" not in str(message)
    assert "results" not in str(message)
    assert failed == made


async def test_nobody_asks_with_the_rights_of_the_caller() -> None:
    """And once for each data set, however many tasks are listed."""
    archive = Archive(*SHARED_ROWS, result(Visibility.SHARED))

    seen = await shown(archive, BOB, *([MADE] * 3))

    assert [MADE] * 3 == list(seen)
    assert [(IRIS, ""), (RESULTS, "")] == archive.asked


async def test_tasks_are_seen_while_the_archive_is_away() -> None:
    """Without what only the archive could tell; it is not asked again and again."""
    archive = Archive(*SHARED_ROWS)
    archive.is_away = True

    seen = await shown(archive, BOB, MADE, replace(MADE, dataset=RESULTS))

    assert [("", ""), ("", "")] == [(each.dataset, each.result) for each in seen]
    assert [(IRIS, "")] == archive.asked
