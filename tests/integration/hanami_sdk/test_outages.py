"""What an application sees when a part of the mesh goes away and comes back."""

import threading

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


def _learn_until_it_is_killed(mesh: RunningMesh, client: Client) -> None:
    with client.learn("n1", reconnect_seconds=0) as stream:
        stream.send(ROWS, labels=LABELS)
        _kill(mesh, "kyouko")
        stream.send(ROWS, labels=LABELS)


def _kill(mesh: RunningMesh, service: str) -> None:
    state = local_mesh.running_state(mesh.home)
    assert state is not None
    component = state.component(service)
    assert component is not None
    process = psutil.Process(component.pid)
    process.kill()
    process.wait(10)
