"""The two ways in which the demo teaches digits to a network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from hanami_sdk.cli.datasets import upload_with_bar
from hanami_sdk.cli.demo.figures import Figures, cut_curve
from hanami_sdk.cli.demo.mnist_data import MnistFiles, read_idx
from hanami_sdk.cli.output import progress_bar
from hanami_sdk.cli.tasks import show_progress
from hanami_sdk.errors import AlreadyExists, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from hanami.kyouko.v1.network_service_pb2 import Network
    from hanami.kyouko.v1.task_service_pb2 import Task
    from numpy.typing import NDArray

    from hanami_sdk.areas.tasks import TaskKind
    from hanami_sdk.blocking_streams import BlockingLearnStream
    from hanami_sdk.client import Client

Say = Callable[[str], None]

_TRAIN, _TEST = "mnist-train", "mnist-test"
_BY_TASK, _BY_STREAM = "mnist-task", "mnist-stream"
_PIXELS = 28 * 28
_FRAME_ROWS = 64
_WINDOW_FRAMES = 16


def prepare(client: Client, project: str, say: Say) -> None:
    """Make the demo's project, and remove what an earlier demo left in it."""
    try:
        client.projects.create(project, display_name="Demo")
        say(f"Made the project {project}")
    except AlreadyExists:
        say(f"Using the project {project}")
    for network in (_BY_TASK, _BY_STREAM):
        try:
            client.networks.delete(network)
        except NotFound:
            continue
    for dataset in (_TRAIN, _TEST):
        try:
            client.datasets.delete(dataset)
        except NotFound:
            continue


def upload(client: Client, files: MnistFiles, say: Say) -> None:
    """Upload both halves of MNIST as data sets."""
    for name, images, labels in (
        (_TRAIN, files.train_images, files.train_labels),
        (_TEST, files.test_images, files.test_labels),
    ):
        began = time.perf_counter()
        made = upload_with_bar(client, name, images=images, labels=labels)
        say(f"Uploaded {name}: {made.row_count:,} rows in {time.perf_counter() - began:.1f} s")


def learn_by_task(client: Client, template: str, epochs: int, say: Say) -> Figures:
    """Teach a fresh network by a task over the stored data set, and test it."""
    fresh = _create(client, _BY_TASK, template)
    say(f"Learning by a task: {fresh.name}, {fresh.statistics.connections} connections")
    counts: list[tuple[int, int]] = []
    learned = _run_task(client, "LEARN", _TRAIN, epochs, counts)
    tested = _run_task(client, "PREDICT", _TEST, 0, [])
    grown = client.networks.get(_BY_TASK).statistics
    say(f"The network reads {tested.progress.accuracy:.2%} of unseen digits right")
    return Figures(
        network=fresh.name,
        test_accuracy=tested.progress.accuracy,
        learned_rows=learned.progress.done_rows,
        learn_seconds=_seconds(learned),
        predicted_rows=tested.progress.done_rows,
        predict_seconds=_seconds(tested),
        connections_before=fresh.statistics.connections,
        connections_after=grown.connections,
        neurons=grown.neurons,
        engine_seconds=learned.progress.engine_time.ToNanoseconds() / 1e9,
        curve=cut_curve(counts),
    )


def learn_by_stream(
    client: Client, files: MnistFiles, template: str, epochs: int, say: Say
) -> Figures:
    """Teach a fresh network by a stream of frames, and test it by another."""
    fresh = _create(client, _BY_STREAM, template)
    say(f"Learning by a stream: {fresh.name}, frames of {_FRAME_ROWS} rows")
    images, labels = _load(files.train_images, files.train_labels)
    counts: list[tuple[int, int]] = []
    window = _FRAME_ROWS * _WINDOW_FRAMES
    with client.learn(_BY_STREAM, max_outstanding_rows=window) as stream:
        began = time.perf_counter()
        for epoch in range(epochs):
            counted: list[tuple[int, int]] = []
            _stream_rows(stream, images, labels, "Learning", counted)
            counts = counted if epoch == 0 else counts
        learn_seconds = time.perf_counter() - began
        grown = stream.close().statistics
    images, labels = _load(files.test_images, files.test_labels)
    counted = []
    with client.learn(_BY_STREAM, mode="PREDICT", max_outstanding_rows=window) as stream:
        began = time.perf_counter()
        _stream_rows(stream, images, labels, "Predicting", counted)
        predict_seconds = time.perf_counter() - began
    accuracy = sum(right for _, right in counted) / len(images)
    say(f"The network reads {accuracy:.2%} of unseen digits right")
    return Figures(
        network=fresh.name,
        test_accuracy=accuracy,
        learned_rows=grown.learned_rows,
        learn_seconds=learn_seconds,
        predicted_rows=len(images),
        predict_seconds=predict_seconds,
        connections_before=fresh.statistics.connections,
        connections_after=grown.connections,
        neurons=grown.neurons,
        curve=cut_curve(counts),
    )


def _create(client: Client, network_id: str, template: str) -> Network:
    structure = client.templates.get(template).structure
    is_open = any(not population.HasField("channels") for population in structure.inputs)
    return client.networks.create(
        network_id, template=template, channels=_PIXELS if is_open else None
    )


def _run_task(
    client: Client, kind: TaskKind, dataset: str, epochs: int, counts: list[tuple[int, int]]
) -> Task:
    """Run a task to its end and show how far it is; an interrupted one is cancelled."""
    from hanami_sdk.areas.tasks import has_ended, raise_unless_succeeded

    task = client.tasks.create(_BY_TASK, kind, dataset, epochs=epochs)
    try:
        task = show_progress(_counted(client.tasks.watch(task.name), counts), task)
        return raise_unless_succeeded(task)
    except KeyboardInterrupt:
        if not has_ended(task):
            client.tasks.cancel(task.name)
        raise


def _counted(changes: Iterator[Task], counts: list[tuple[int, int]]) -> Iterator[Task]:
    """Pass changes on, and note the rows of each and how many were predicted right."""
    rows, right = 0, 0
    for task in changes:
        done = task.progress
        if done.HasField("accuracy") and done.done_rows > rows:
            right_now = round(done.accuracy * done.done_rows)
            counts.append((done.done_rows - rows, right_now - right))
            rows, right = done.done_rows, right_now
        yield task


def _stream_rows(
    stream: BlockingLearnStream,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    verb: str,
    counts: list[tuple[int, int]],
) -> None:
    """Send all rows in frames, and note of each answer how many rows were right."""
    from hanami_sdk.frames import split_rows

    frames = split_rows(images, labels, frame_rows=_FRAME_ROWS)
    with progress_bar(unit="rows") as bar:
        line = bar.add_task(verb, total=len(images), facts="")
        done, right = 0, 0
        for result in stream.results(frames):
            done += result.rows
            right += result.correct_rows
            counts.append((result.rows, result.correct_rows))
            # Drawing costs more than a frame: the bar moves every thousand rows.
            if done % 1024 < result.rows:
                bar.update(line, completed=done, facts=f"{right / done:.2%} right")
        bar.update(line, completed=done)


def _load(images: Path, labels: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    return read_idx(images).reshape(-1, _PIXELS), read_idx(labels)


def _seconds(task: Task) -> float:
    """Return how long a task has worked, by the clock of its service."""
    return (task.end_time.ToNanoseconds() - task.start_time.ToNanoseconds()) / 1e9
