"""What an application sees when a part of the mesh goes away and comes back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import psutil
import pytest

from hanami_sdk import Client, RetryPolicy, Unavailable
from hanami_sdk.local import mesh as local_mesh
from tests.integration.hanami_sdk.conftest import RunningMesh

ROWS = np.random.default_rng(3).normal(size=(64, 4)).astype(np.float32)
LABELS = (ROWS[:, 0] > 0).astype(np.int64)


def test_a_restart_does_not_reach_a_patient_caller(mesh: RunningMesh, project: str) -> None:
    """Calls are tried again until the service is back."""
    patient = RetryPolicy(attempts=60, first_delay=0.5, longest_delay=0.5)
    restart = threading.Thread(
        target=local_mesh.restart, args=(mesh.home, "misaki", lambda event: None)
    )

    with Client(mesh.url, tokens=mesh.tokens, retries=patient) as client:
        restart.start()
        seen = []
        while restart.is_alive():
            seen.append(client.projects.get(project).name)
        restart.join()

    assert set(seen) == {f"projects/{project}"}


def test_a_killed_service_ends_the_stream_with_an_error(mesh: RunningMesh, project: str) -> None:
    """Who does not want to reconnect is told, in words; later the network is there again."""
    with mesh.client(project) as client:
        client.networks.create("n1", template="flat", channels=4)
        try:
            with pytest.raises(Unavailable) as caught:
                _learn_until_it_is_killed(mesh, client)
        finally:
            local_mesh.restart(mesh.home, "kyouko", lambda event: None)
        assert mesh.url in str(caught.value)
        with client.learn("n1") as stream:
            assert stream.send(ROWS, labels=LABELS).rows == 64


def test_a_full_disk_holds_learning_up_and_costs_no_row(mesh: RunningMesh, project: str) -> None:
    """While kyouko cannot write nothing is called durable; later all of it is."""
    with mesh.client(project) as client:
        client.networks.create("n1", template="flat", channels=4)
        with client.learn("n1") as stream:
            stream.send(ROWS, labels=LABELS)
            stream.durable()
            with _no_room(_process_of(mesh, "kyouko")):
                durable = stream.durable_sequence
                sending = threading.Thread(
                    target=lambda: [stream.send(ROWS, labels=LABELS) for _ in range(30)]
                )
                sending.start()
                sending.join(3)
                during = stream.durable_sequence
                was_held_up = sending.is_alive()
            sending.join()
            breaks = stream.breaks
        network = client.networks.get("n1")

    assert (1, 1) == (durable, during)
    assert was_held_up
    assert breaks > 0
    assert (31 * 64, 31 * 64) == (network.statistics.learned_rows, network.kept_rows)


@contextmanager
def _no_room(process: psutil.Process) -> Iterator[None]:
    """Let a process write to no file, as on a full disk."""
    before = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_FSIZE, before)


def _learn_until_it_is_killed(mesh: RunningMesh, client: Client) -> None:
    with client.learn("n1", reconnect_seconds=0) as stream:
        stream.send(ROWS, labels=LABELS)
        _kill(mesh, "kyouko")
        stream.send(ROWS, labels=LABELS)


def _kill(mesh: RunningMesh, service: str) -> None:
    process = _process_of(mesh, service)
    process.kill()
    process.wait(10)


def _process_of(mesh: RunningMesh, service: str) -> psutil.Process:
    state = local_mesh.running_state(mesh.home)
    assert state is not None
    component = state.component(service)
    assert component is not None
    return psutil.Process(component.pid)
