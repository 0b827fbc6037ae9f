"""A NATS server of a test's own, which it may kill."""

from collections.abc import Iterator

import pytest

from tests.nats import NatsServer, running_nats


@pytest.fixture
def own_nats() -> Iterator[NatsServer]:
    """Start a server that only this test uses."""
    with running_nats() as server:
        yield server
