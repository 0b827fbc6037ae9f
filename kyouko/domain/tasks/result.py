"""What becomes of a task's predictions: a data set, and whose."""

from dataclasses import dataclass

from kyouko.domain.tasks.task import Task
from mesh.visibility import Visibility


@dataclass(frozen=True)
class NewDataset:
    """A data set to be stored for somebody; see `mesh.visibility.Belonging`."""

    project_id: str
    dataset_id: str
    owner: str
    owner_since: int
    visibility: Visibility


def result_of(task: Task, *, network: Visibility, rows: Visibility) -> NewDataset:
    """Return the data set for a task's predictions.

    It belongs to who made the task. It tells of the network and of the rows, so it is private
    when either is; and it never becomes public by itself.
    """
    is_private = Visibility.PRIVATE in (network, rows)
    return NewDataset(
        task.project_id,
        task.result_dataset_id,
        owner=task.creator,
        owner_since=task.creator_since,
        visibility=Visibility.PRIVATE if is_private else Visibility.SHARED,
    )
