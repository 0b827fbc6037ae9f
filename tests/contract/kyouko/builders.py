"""Builders of networks and tasks with sensible defaults."""

from datetime import UTC, datetime

from kyouko.domain.engine import (
    EngineOptions,
    InputPopulation,
    NetworkStructure,
    OutputPopulation,
    Population,
    Reach,
    ReachKind,
    TaskKind,
)
from kyouko.domain.networks.network import Network
from kyouko.domain.tasks.task import Task, TaskProgress, TaskWork

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
STRUCTURE = NetworkStructure(
    inputs=(InputPopulation("in", 6, (3, 2, 1), (0.5, 0.0, -1.0)),),
    populations=(
        Population("all", (0.0, 0.0, 0.0), 8),
        Population("near", (1.0, 1.0, 0.0), 4, ("in",), Reach(ReachKind.WINDOW, (2.0, 2.0, 1.0))),
        Population("ball", (1.0, 1.0, 0.0), 4, (), Reach(ReachKind.RADIUS, radius=1.5)),
    ),
    output=OutputPopulation("out", TaskKind.CLASSES),
    options=EngineOptions(seed=2**62, memory_limit_bytes=2**30, max_outputs=7),
)


def network(network_id: str = "net", *, project_id: str = "flowers", uid: str = "") -> Network:
    """Return a network that has learned nothing yet."""
    return Network(
        uid=uid or f"uid-of-{network_id}",
        project_id=project_id,
        network_id=network_id,
        structure=STRUCTURE,
        create_time=NOON,
        creator="users/alice",
    )


def task(task_id: str = "task", of: Network | None = None) -> Task:
    """Return a task that waits."""
    owner = of or network()
    return Task(
        task_id=task_id,
        project_id=owner.project_id,
        network_id=owner.network_id,
        network_uid=owner.uid,
        work=TaskWork.LEARN,
        dataset="projects/flowers/datasets/iris",
        epochs=2,
        input_columns=("a", "b"),
        target_column="kind",
        time_column="at",
        result_dataset_id="",
        is_classes=True,
        create_time=NOON,
        creator="users/alice",
        progress=TaskProgress(total_rows=300),
        trace={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    )
