"""`hanami task`: learning and predicting over stored data sets."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.messages import as_json
from hanami_sdk.cli.output import (
    note,
    print_json,
    print_json_line,
    print_message,
    print_messages,
    progress_bar,
)

if TYPE_CHECKING:
    from hanami.kyouko.v1.task_service_pb2 import Task

app = typer.Typer(no_args_is_help=True, help="Learning and predicting over stored data sets.")

TaskArgument = Annotated[
    str, typer.Argument(help="Full name: projects/P/networks/N/tasks/T, as `list` shows it.")
]


class Kind(StrEnum):
    """What a task does."""

    LEARN = "learn"
    PREDICT = "predict"


@app.command()
def create(
    network: Annotated[str, typer.Argument(help="Name of the network.")],
    dataset: Annotated[str, typer.Argument(help="Name of the data set.")],
    kind: Annotated[Kind, typer.Option(help="What to do with the rows.")] = Kind.LEARN,
    epochs: Annotated[int, typer.Option(help="How often to go through.", min=1)] = 1,
    input_: Annotated[
        list[str] | None,
        typer.Option("--input", help="A column to feed, in this order; repeat it."),
    ] = None,
    target: Annotated[str, typer.Option(help="The column to learn or compare with.")] = "",
    time: Annotated[
        str, typer.Option(help="The column that says when a row was measured; not fed.")
    ] = "",
    result: Annotated[
        str, typer.Option(help="Keep the predictions as a data set of this name.")
    ] = "",
    follow: Annotated[bool, typer.Option("--watch", help="Follow it until it ends.")] = False,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Queue a task; it runs whether or not somebody watches.

    Examples:
        hanami task create iris iris-data --project demo --watch

        hanami task create iris iris-data --kind predict --result answers -p demo
    """
    from hanami_sdk.areas.tasks import raise_unless_succeeded

    with open_client(url, project) as client:
        task = client.tasks.create(
            network,
            "LEARN" if kind is Kind.LEARN else "PREDICT",
            dataset,
            epochs=epochs if kind is Kind.LEARN else 0,
            input_columns=input_ or (),
            target_column=target,
            time_column=time,
            result_dataset_id=result,
        )
        if follow:
            task = raise_unless_succeeded(show_progress(client.tasks.watch(task.name), task))
    print_message(task, as_data=json, rows=_fields(task))


@app.command()
def watch(
    task: TaskArgument,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Follow a task until it ends; with --json, one line for every change.

    The exit code is 0 only if the task succeeded.

    Example:
        hanami task watch projects/demo/networks/iris/tasks/t1
    """
    from hanami_sdk.areas.tasks import raise_unless_succeeded

    with open_client(url) as client:
        if json:
            last = None
            for last in client.tasks.watch(task):
                print_json_line(as_json(last))
        else:
            last = show_progress(client.tasks.watch(task), None)
            print_message(last, as_data=False, rows=_fields(last))
    if last is not None:
        raise_unless_succeeded(last)


def show_progress(changes: Iterable[Task], task: Task | None) -> Task:
    """Show a task's progress until it ends; returns the task as it ended.

    Args:
        changes: the task at every change.
        task: the task before the first of them.
    """
    with progress_bar(unit="rows") as bar:
        line = bar.add_task("Waiting", total=None, facts="")
        for task in changes:
            done = task.progress
            bar.update(
                line,
                description=_verb(task),
                completed=done.done_rows,
                total=done.total_rows or None,
                facts=_facts(task),
            )
    if task is None:
        raise ValueError("nothing was watched")
    note(f"{_state(task)}: {task.progress.done_rows} rows, {_facts(task)}")
    return task


@app.command()
def get(task: TaskArgument, url: options.Url = None, json: options.Json = False) -> None:
    """Show one task.

    Example:
        hanami task get projects/demo/networks/iris/tasks/t1
    """
    with open_client(url) as client:
        found = client.tasks.get(task)
    print_message(found, as_data=json, rows=_fields(found))


@app.command("list")
def list_tasks(
    network: Annotated[
        str, typer.Argument(help="Whose tasks; those of all networks when left out.")
    ] = "-",
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """List the tasks of a network, or of all networks of a project.

    Examples:
        hanami task list iris --project demo

        hanami task list --project demo
    """
    with open_client(url, project) as client:
        tasks = list(client.tasks.list(network))
    rows = [
        (t.name, _verb(t), _state(t), f"{t.progress.done_rows}/{t.progress.total_rows}", _facts(t))
        for t in tasks
    ]
    print_messages(
        tasks,
        as_data=json,
        columns=("TASK", "KIND", "STATE", "ROWS", "RESULT"),
        rows=rows,
        nothing="No tasks. Queue one: hanami task create NETWORK DATASET",
    )


@app.command()
def cancel(task: TaskArgument, url: options.Url = None, json: options.Json = False) -> None:
    """Stop a task; what it has learned stays learned.

    Example:
        hanami task cancel projects/demo/networks/iris/tasks/t1
    """
    with open_client(url) as client:
        stopped = client.tasks.cancel(task)
    if json:
        print_json(as_json(stopped))
    else:
        print(f"{stopped.name} is {_state(stopped)}.")


def _state(task: Task) -> str:
    from hanami.kyouko.v1.task_service_pb2 import TaskState

    return TaskState.Name(task.state).removeprefix("TASK_STATE_").lower()


def _verb(task: Task) -> str:
    from hanami.kyouko.v1.task_service_pb2 import TaskKind

    return TaskKind.Name(task.kind).removeprefix("TASK_KIND_").lower()


def _facts(task: Task) -> str:
    done = task.progress
    facts = [f"{done.rows_per_second:,.0f} rows/s"]
    if done.HasField("accuracy"):
        facts.append(f"{done.accuracy:.2%} right")
    if done.HasField("mean_absolute_error"):
        facts.append(f"error {done.mean_absolute_error:.4g}")
    if done.HasField("loss"):
        facts.append(f"loss {done.loss:.4f}")
    if done.statistics.connections:
        facts.append(f"{done.statistics.connections:,} connections")
    return ", ".join(facts)


def _fields(task: Task) -> list[tuple[str, str]]:
    return [
        ("Task", task.name),
        ("Kind", _verb(task)),
        ("State", _state(task)),
        ("Data set", task.dataset),
        ("Rows", f"{task.progress.done_rows} of {task.progress.total_rows}"),
        ("Result", _facts(task)),
        ("Kept as", task.result_dataset),
        ("Error", task.error.message),
    ]
