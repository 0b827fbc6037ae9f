"""Runs the MNIST demo from an empty machine to the figures, and tidies up."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanami_sdk.cli.demo import mnist_data
from hanami_sdk.cli.demo.figures import Figures, draw_curve, draw_table
from hanami_sdk.cli.demo.mnist_data import MnistFiles
from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.cli.local import show_event
from hanami_sdk.cli.output import command, note, print_json

if TYPE_CHECKING:
    from hanami_sdk.client import Client
    from hanami_sdk.local.home import MeshHome
    from hanami_sdk.local.state import MeshState, StartEvent

PROJECT = "demo"


@dataclass(frozen=True)
class Stage:
    """Where the demo tells its story: stdout, or stderr when stdout is for programs."""

    as_data: bool

    def say(self, text: str) -> None:
        """Tell a person what is going on."""
        if self.as_data:
            note(text)
        else:
            print(text, flush=True)


def run_demo(
    stage: Stage, *, template: str, epochs: int, keep: bool, port: int | None, data: Path | None
) -> None:
    """Run the whole demo and print its figures.

    Args:
        stage: where to tell the story.
        template: id of the template of both networks.
        epochs: how often to go through the digits.
        keep: leave the mesh running at the end.
        port: of the gateway; the usual one when `None`.
        data: folder with own copies of the files; fetched when `None`.
    """
    files = mnist_data.open_copies(data) if data else mnist_data.fetch(stage.say)
    with _running_mesh(stage, port=port, keep=keep) as (state, will_stop):
        with _administrator(state) as client:
            task, stream = _learn_twice(stage, client, files, template=template, epochs=epochs)
        if stage.as_data:
            print_json(_report(task, stream, template=template, epochs=epochs, state=state))
        else:
            _show(task, stream, state=state, will_stop=will_stop)


def _learn_twice(
    stage: Stage, client: Client, files: MnistFiles, *, template: str, epochs: int
) -> tuple[Figures, Figures]:
    from hanami_sdk.cli.demo import lessons

    lessons.prepare(client, PROJECT, stage.say)
    lessons.upload(client, files, stage.say)
    task = lessons.learn_by_task(client, template, epochs, stage.say)
    stream = lessons.learn_by_stream(client, files, template, epochs, stage.say)
    return task, stream


@contextmanager
def _running_mesh(
    stage: Stage, *, port: int | None, keep: bool
) -> Iterator[tuple[MeshState, bool]]:
    """Give a mesh that runs, and whether it stops at the end: what was started for this does."""
    from hanami_sdk.local import mesh
    from hanami_sdk.local.home import MeshHome

    home = MeshHome.default()
    before = mesh.running_state(home)
    state = _start(stage, home, before, port)
    former = before.components if before is not None else ()
    started = [c.name for c in state.components if c not in former]
    has_to_stop = bool(started)
    try:
        yield state, has_to_stop and not keep
        has_to_stop = has_to_stop and not keep
    finally:
        if has_to_stop:
            stage.say("\nStopping what the demo started")
            mesh.stop(home, show_event, names=started)


def _start(stage: Stage, home: MeshHome, before: MeshState | None, port: int | None) -> MeshState:
    from hanami_sdk.local import mesh
    from hanami_sdk.local.errors import PortOccupied

    if before is not None:
        stage.say(f"Using the mesh that runs at {before.gateway_url}")
        return mesh.start(home, on_event=_show_news, port=port)
    stage.say("Starting the mesh on this machine")
    began = time.perf_counter()
    try:
        state = mesh.start(home, on_event=show_event, port=port)
    except PortOccupied as error:
        hint = "Choose another port: hanami demo mnist --port PORT"
        raise CommandFailure(error.sentence, hint=hint) from error
    stage.say(f"The mesh is up after {time.perf_counter() - began:.1f} s")
    return state


def _show_news(event: StartEvent) -> None:
    """Tell what has to be started in a mesh that runs; most often nothing has."""
    from hanami_sdk.local.state import EventKind

    if event.kind in (EventKind.STARTING, EventKind.COMPILING):
        show_event(event)


def _administrator(state: MeshState) -> Client:
    """Return a client that is logged in as the administrator of a local mesh."""
    from hanami_sdk.client import Client

    password = os.environ.get("HANAMI_ADMIN_PASSWORD", "")
    if state.admin_password_file is not None:
        password = state.admin_password_file.read_text(encoding="utf-8").strip()
    if not password:
        raise CommandFailure(
            "The demo needs the administrator's password of this mesh.",
            hint="Set HANAMI_ADMIN_PASSWORD to the one that the mesh was started with.",
        )
    return Client(state.gateway_url, project=PROJECT, user=state.admin_user_id, password=password)


def _report(
    task: Figures, stream: Figures, *, template: str, epochs: int, state: MeshState
) -> dict[str, Any]:
    """Return all figures; those of the task also at the top."""
    top = task.as_json()
    names = (
        "test_accuracy",
        "learn_rows_per_second",
        "learn_seconds",
        "predict_seconds",
        "connections_before",
        "connections_after",
    )
    return {
        **{name: top[name] for name in names},
        "template": template,
        "epochs": epochs,
        "url": state.gateway_url,
        "task": top,
        "stream": stream.as_json(),
    }


def _show(task: Figures, stream: Figures, *, state: MeshState, will_stop: bool) -> None:
    from hanami_sdk.local.starting import DEFAULT_PORT

    print(f"\n{draw_curve(stream.curve)}\n")
    print(draw_table(task, stream))
    print(
        f"\nStart page       {state.gateway_url}/{'  (while the mesh runs)' if will_stop else ''}"
    )
    print(f"Administrator    {state.admin_user_id}, password in {state.admin_password_file}")
    print("\nHow to go on:")
    project = f"--project {PROJECT}"
    port = "" if state.port == DEFAULT_PORT else f" --port {state.port}"
    steps = [
        (f"up{port}", "start the mesh again; all is kept"),
        ("login", "log in as its administrator"),
        (f"network list {project}", "what the demo has made"),
        (f"dataset upload FILE.csv --target COLUMN {project}", "your own data"),
        (f"learn NETWORK FILE.csv --label COLUMN {project}", "your own stream"),
    ]
    shown = [(f"{command()} {words}", meaning) for words, meaning in steps[not will_stop :]]
    width = max(len(words) for words, _ in shown)
    for words, meaning in shown:
        print(f"  {words:<{width}}  {meaning}", flush=True)
