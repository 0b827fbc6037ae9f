"""A task as its users know it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from kyouko.domain.networks.network import NetworkStatistics, network_name
from kyouko.domain.networks.session_keys import key_of_task


class TaskWork(StrEnum):
    """What a task does."""

    LEARN = "LEARN"
    PREDICT = "PREDICT"


class TaskState(StrEnum):
    """Where a task is in its life."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED)


@dataclass(frozen=True)
class Totals:
    """Sums over the rows a task has done; exact, so they can be stored and gone on from.

    Attributes:
        done_rows: over all epochs.
        scored_rows: those with a known target.
        loss: sum of the losses of the scored rows.
        correct_rows: scored rows whose label was predicted.
        absolute_error: sum of the absolute errors of the scored rows (numbers).
        engine_seconds: spent in the network itself.
        seconds: spent on the whole.
    """

    done_rows: int = 0
    scored_rows: int = 0
    loss: float = 0.0
    correct_rows: int = 0
    absolute_error: float = 0.0
    engine_seconds: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class TaskProgress:
    """How far a task is.

    Attributes:
        total_rows: rows to do, over all epochs.
        rows_per_second: lately; over the whole when the task has ended.
        remaining_seconds: None before it is known.
        statistics: of the network, as it was at this moment.
        deaths: how often in a row the process died at it, without a row more.
        is_storing: whether all rows are predicted, and the result may be in the archive.
    """

    total_rows: int
    totals: Totals = field(default_factory=Totals)
    rows_per_second: float = 0.0
    remaining_seconds: float | None = None
    statistics: NetworkStatistics | None = None
    deaths: int = 0
    is_storing: bool = False

    def standing(self, totals: Totals, *, deaths: int = 0) -> "TaskProgress":
        """Return the progress of a task that waits to go on."""
        return replace(
            self, totals=totals, rows_per_second=0.0, remaining_seconds=None, deaths=deaths
        )


@dataclass(frozen=True)
class Failure:
    """Why a task failed: the parts of a domain error, or an incident of ours.

    Attributes:
        kind: name of the class in `mesh.errors`; `Internal` for a mistake of ours.
    """

    kind: str
    message: str
    reason: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Task:
    """Work over a stored data set.

    Attributes:
        number: grows with every task; the order of a queue. 0 before it is stored.
        network_uid: of the network that the task belongs to.
        time_column: empty when no times are read.
        is_classes: whether the network tells classes apart.
        result_dataset_id: empty when no predictions are kept.
        dataset_etag: tells the data set from a later one of its name; empty where it was not noted.
        creator_since: tells the creator from a later one of the same name.
        trace: the trace context (W3C) of the call that queued the task.
    """

    task_id: str
    project_id: str
    network_id: str
    network_uid: str
    work: TaskWork
    dataset: str
    epochs: int
    input_columns: tuple[str, ...]
    target_column: str
    time_column: str
    result_dataset_id: str
    is_classes: bool
    create_time: datetime
    creator: str
    progress: TaskProgress
    state: TaskState = TaskState.PENDING
    failure: Failure | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    trace: Mapping[str, str] = field(default_factory=dict)
    number: int = 0
    creator_since: int = 0
    dataset_etag: str = ""

    @property
    def name(self) -> str:
        """The resource name."""
        return f"{network_name(self.project_id, self.network_id)}/tasks/{self.task_id}"

    @property
    def result(self) -> str:
        """The resource name of the data set that its predictions become; empty for none."""
        name = self.result_dataset_id
        return f"projects/{self.project_id}/datasets/{name}" if name else ""

    @property
    def key(self) -> bytes:
        """The key of the session in which its network learns."""
        return key_of_task(self.network_uid, self.task_id, self.number)

    def started(self, now: datetime) -> "Task":
        """Return the task at work."""
        return replace(self, state=TaskState.RUNNING, start_time=self.start_time or now)

    def waiting_again(self) -> "Task":
        """Return a task that goes on at the next start, where it is now.

        One that keeps its predictions begins anew: the file of predictions goes with the process.
        """
        totals = self.progress.totals if not self.result_dataset_id else Totals()
        return replace(self, state=TaskState.PENDING, progress=self.progress.standing(totals))

    def interrupted(self) -> "Task":
        """Return a task that was at work when the process died; its network knows how far."""
        deaths = self.progress.deaths + 1
        totals = self.progress.totals if self.progress.is_storing else self._lasting_totals
        progress = self.progress.standing(totals, deaths=deaths)
        return replace(self, state=TaskState.PENDING, progress=progress)

    def begun_again(self) -> "Task":
        """Return a task at work that has lost what it held; its network knows how far it was."""
        progress = self.progress.standing(self._lasting_totals, deaths=self.progress.deaths)
        return replace(self, progress=replace(progress, is_storing=False))

    def storing(self) -> "Task":
        """Return a task that has predicted all rows and is about to store its result."""
        return replace(self, progress=replace(self.progress, is_storing=True))

    @property
    def _lasting_totals(self) -> Totals:
        return self.progress.totals if self.work is TaskWork.LEARN else Totals()

    def resumed(self, done: Totals) -> "Task":
        """Return a task at the rows that its network has learned of it."""
        has_come_on = done.done_rows > self.progress.totals.done_rows
        deaths = 0 if has_come_on else self.progress.deaths
        return replace(self, progress=replace(self.progress, totals=done, deaths=deaths))

    def ended(self, state: TaskState, now: datetime, failure: Failure | None = None) -> "Task":
        """Return the task at its end; its speed is then that of the whole work."""
        totals = self.progress.totals
        speed = totals.done_rows / totals.seconds if totals.seconds > 0 else 0.0
        progress = replace(self.progress, rows_per_second=speed, remaining_seconds=None)
        # A clock may be set back meanwhile; a task never ends before it began.
        end = max(now, self.start_time or self.create_time)
        return replace(self, state=state, failure=failure, end_time=end, progress=progress)
