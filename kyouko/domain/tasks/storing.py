"""Brings the predictions of a task into the archive: once, whatever comes between."""

from pathlib import Path

from kyouko.domain.tasks.patience import Patience
from kyouko.domain.tasks.result import NewDataset, result_of
from kyouko.domain.tasks.task import Task
from kyouko.ports import Datasets, NetworkRepository
from mesh.errors import AlreadyExists, NotFound, Unavailable
from mesh.visibility import Visibility


class ResultStore:
    """Stores the result of one task, under a name that no other task at work has."""

    def __init__(
        self,
        datasets: Datasets,
        networks: NetworkRepository,
        task: Task,
        *,
        patience_seconds: float,
    ) -> None:
        self._datasets = datasets
        self._networks = networks
        self._task = task
        self._patience_seconds = patience_seconds

    async def has_it(self) -> bool:
        """Tell whether the archive has the result of a task that was about to store it.

        When the task was made nothing was stored under that name, so what this service stored
        there since is the task's.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE: the archive stays away.
        """
        task, patience = self._task, Patience(self._patience_seconds)
        while True:
            try:
                return await self._datasets.is_ours(task.project_id, task.result_dataset_id)
            except Unavailable as error:
                await patience.pause(error)

    async def put(self, path: Path) -> None:
        """Store a file of predictions, also if the archive is away for a moment.

        Raises:
            AlreadyExists: RESOURCE_EXISTS: somebody else stored something under that name.
            Unavailable: DEPENDENCY_UNAVAILABLE: the archive stays away.
        """
        patience = Patience(self._patience_seconds)
        may_be_stored = False
        while True:
            try:
                await self._datasets.upload_csv(await self._new(), path)
            except Unavailable as error:
                # It may have arrived, and only the answer was lost.
                may_be_stored = True
                await patience.pause(error)
            except AlreadyExists:
                if may_be_stored and await self.has_it():
                    return
                raise
            else:
                return

    async def _new(self) -> NewDataset:
        """Return what the predictions are to be, by who may know of network and rows now."""
        task = self._task
        network = await self._networks.get(task.project_id, task.network_id)
        try:
            rows = await self._datasets.describe(task.dataset)
            is_same = task.dataset_etag in ("", rows.etag)
            of_rows = rows.visibility if is_same else Visibility.PRIVATE
        except NotFound:
            of_rows = Visibility.PRIVATE
        return result_of(task, network=network.visibility, rows=of_rows)
