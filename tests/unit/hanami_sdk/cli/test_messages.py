"""Contract messages as JSON for scripts."""

import json

from google.protobuf import timestamp_pb2
from google.rpc import status_pb2
from hanami.kyouko.v1 import network_service_pb2, task_service_pb2

from hanami_sdk.cli.messages import as_json


def test_large_numbers_stay_numbers() -> None:
    """The standard JSON form would write them as text."""
    network = network_service_pb2.Network(name="projects/p1/networks/n1", kept_rows=2**40)

    value = as_json(network)

    assert value["kept_rows"] == 2**40
    assert value["labels"] == []


def test_enums_are_names_and_times_are_texts() -> None:
    """What programs compare and people read."""
    task = task_service_pb2.Task(
        state=task_service_pb2.TASK_STATE_RUNNING,
        create_time=timestamp_pb2.Timestamp(seconds=0),
    )

    value = as_json(task)

    assert value["state"] == "TASK_STATE_RUNNING"
    assert value["create_time"] == "1970-01-01T00:00:00Z"


def test_durations_are_seconds() -> None:
    """A span is a number one can calculate with."""
    progress = task_service_pb2.TaskProgress()
    progress.engine_time.FromMilliseconds(1500)

    assert as_json(progress)["engine_time"] == 1.5


def test_fields_with_presence_are_left_out_when_unset() -> None:
    """No accuracy is not an accuracy of zero."""
    value = as_json(task_service_pb2.TaskProgress(done_rows=0))

    assert "accuracy" not in value
    assert value["done_rows"] == 0


def test_what_json_cannot_say_becomes_null() -> None:
    """NaN is no JSON."""
    value = as_json(task_service_pb2.TaskProgress(loss=float("nan"), rows_per_second=1.5))

    assert json.dumps(value, allow_nan=False)
    assert value["loss"] is None


def test_errors_of_tasks_are_shown() -> None:
    """A failed task says why."""
    task = task_service_pb2.Task(error=status_pb2.Status(code=3, message="Too narrow."))

    assert as_json(task)["error"]["message"] == "Too narrow."
