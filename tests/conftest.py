"""Fixtures for every tier: a free port, and real servers that start when asked for."""

import socket
from collections.abc import Iterator

import hypothesis
import pytest
from numba import config as numba_config

from kyouko.kernels.warmup import warm_up
from tests.nats import NatsServer, running_nats
from tests.postgres import PostgresCluster, running_cluster
from tests.s3 import S3Server, running_s3

# The same examples every time, and no limit of time on a machine that others use too.
hypothesis.settings.register_profile("hanami", derandomize=True, deadline=None)
hypothesis.settings.load_profile("hanami")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile the kernels before the first test, whose time is limited, needs them."""
    if session.items and not session.config.option.collectonly and not numba_config.DISABLE_JIT:
        warm_up()


@pytest.fixture
def free_port() -> int:
    """Return a loopback port that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[PostgresCluster]:
    """Start a PostgreSQL server for the whole run; failing to do so fails the tests."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres_cluster: PostgresCluster) -> Iterator[str]:
    """Return the SQLAlchemy URL of an empty database of this test's own."""
    with postgres_cluster.fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """Start an S3 server for the whole run; failing to do so fails the tests."""
    with running_s3() as server:
        yield server


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """Start a NATS server for the whole run; failing to do so fails the tests."""
    with running_nats() as server:
        yield server
