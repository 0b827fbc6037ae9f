"""Tasks over stored data sets, by client and command, through Envoy."""

import json
from pathlib import Path

import pytest
from hanami.kyouko.v1 import task_service_pb2 as pb

from hanami_sdk import Client, FailedPrecondition, InvalidArgument, NotFound
from tests.integration.hanami_sdk.conftest import Command


@pytest.fixture
def stored(client: Client, rows_csv: Path) -> Client:
    """Return a client with a data set `rows` and a network `n1` that fits it."""
    client.datasets.upload_csv("rows", rows_csv, target_column="larger")
    client.networks.create("n1", template="flat", channels=2)
    return client


def test_a_task_can_be_followed_to_its_end(stored: Client) -> None:
    """Progress never goes back, and ends with all rows of all epochs."""
    task = stored.tasks.create("n1", "LEARN", "rows", epochs=3)

    changes = list(stored.tasks.watch(task.name))

    done = [change.progress.done_rows for change in changes]
    assert done == sorted(done)
    assert done[-1] == changes[-1].progress.total_rows == 1200
    assert changes[-1].state == pb.TASK_STATE_SUCCEEDED
    assert changes[-1].progress.statistics.connections > 0


def test_predictions_can_be_kept(stored: Client) -> None:
    """They are a data set of their own, one row for each row."""
    stored.tasks.wait(stored.tasks.create("n1", "LEARN", "rows", epochs=5).name)

    task = stored.tasks.create("n1", "PREDICT", "rows", result_dataset_id="answers")
    ended = stored.tasks.wait(task.name)

    assert ended.progress.accuracy > 0.8
    assert stored.datasets.get("answers").row_count == 400


def test_rows_that_do_not_fit_are_refused(stored: Client, tmp_path: Path) -> None:
    """A wider data set than the network is told before anything is learned."""
    (tmp_path / "wide.csv").write_text("a,b,c,kind\n1,2,3,x\n")
    stored.datasets.upload_csv("wide", tmp_path / "wide.csv", target_column="kind")

    with pytest.raises(InvalidArgument) as caught:
        stored.tasks.create("n1", "LEARN", "wide")

    assert caught.value.reason == "WIDTH_MISMATCH"


def test_a_cancelled_task_stops(stored: Client) -> None:
    """Waiting for it is an error that says so."""
    task = stored.tasks.create("n1", "LEARN", "rows", epochs=10_000)

    stored.tasks.cancel(task.name)

    with pytest.raises(FailedPrecondition, match="cancelled"):
        stored.tasks.wait(task.name)
    assert stored.tasks.get(task.name).state == pb.TASK_STATE_CANCELLED


def test_unknown_tasks_are_not_found(stored: Client) -> None:
    """Watching nothing is an error, not an endless wait."""
    network = stored.networks.get("n1").name

    with pytest.raises(NotFound):
        list(stored.tasks.watch(f"{network}/tasks/nothing"))


def test_tasks_by_command(hanami: Command, rows_csv: Path) -> None:
    """Queue, follow, list and keep the predictions; a missing data set is told."""
    hanami("network", "create", "n1", "--channels", "2")
    hanami("dataset", "upload", "rows", str(rows_csv), "--target", "larger")

    learned = hanami("task", "create", "n1", "rows", "--epochs", "2", "--watch", "--json")
    predicted = hanami(
        "task", "create", "n1", "rows", "--kind", "predict", "--result", "answers", "--watch"
    )

    assert learned.exit_code == 0, learned.stderr
    task = json.loads(learned.stdout)
    assert task["state"] == "TASK_STATE_SUCCEEDED"
    assert task["progress"]["done_rows"] == 800
    assert predicted.exit_code == 0, predicted.stderr
    assert "400" in hanami("dataset", "list").stdout
    listed = json.loads(hanami("task", "list", "--json").stdout)
    assert [t["kind"] for t in listed] == ["TASK_KIND_LEARN", "TASK_KIND_PREDICT"]
    watched = hanami("task", "watch", task["name"], "--json")
    assert json.loads(watched.stdout.splitlines()[-1])["state"] == "TASK_STATE_SUCCEEDED"
    assert hanami("task", "cancel", task["name"]).exit_code == 1
    missing = hanami("task", "create", "n1", "nothing")
    assert missing.exit_code == 1
    assert "nothing" in missing.stderr
