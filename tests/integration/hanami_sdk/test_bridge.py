"""`hanami bridge` between real brokers and a real mesh, over kills and second deliveries."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import psutil
import pytest

from hanami_sdk import Client
from hanami_sdk.local import mesh as local_mesh
from tests.certificates import certificates_of
from tests.e2e.conftest import free_port
from tests.integration.hanami_sdk.brokers import MqttBroker, NatsBroker, RumqttdBroker, publish
from tests.integration.hanami_sdk.conftest import Command, RunningMesh

MESSAGES = 300


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[NatsBroker]:
    """Return a broker of both kinds that runs."""
    server = NatsBroker(tmp_path)
    server.start()
    yield server
    server.kill()


class Bridges:
    """Starts `hanami bridge` as a process of its own, and ends it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.log = folder / "bridge.log"
        self._config = folder / "bridge.yaml"
        self._state = folder / "state"
        self._environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, source: dict[str, Any], **route: Any) -> None:
        """Write the configuration: one network from one source."""
        entry = {"network": "n1", "inputs": ["left", "right"], "label": "larger", **route}
        whole = {"state": str(self._state), "networks": [{**entry, "sources": [source]}]}
        self._config.write_text(json.dumps(whole))

    def start(self) -> None:
        """Start it; what it says is added to the log."""
        call = "from hanami_sdk.cli import main; main()"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    call,
                    "bridge",
                    "--config",
                    str(self._config),
                    "--every",
                    "1",
                ],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End it without a word."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """End it in good order."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        assert 0 == self.process.wait(60), self.log.read_text()

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something, as long as it runs."""
        assert self.process is not None
        deadline = time.monotonic() + 90
        while not is_so():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)


@pytest.fixture
def bridges(
    mesh: RunningMesh, hanami: Command, client: Client, project: str, tmp_path: Path
) -> Iterator[Bridges]:
    """Return what starts bridges, and a network `n1` of two channels."""
    client.networks.create("n1", template="flat", channels=2)
    environment = {
        **os.environ,
        "HANAMI_HOME": str(mesh.home.root),
        "HANAMI_PROJECT": project,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    found = Bridges(tmp_path, environment)
    yield found
    if found.process is not None and found.process.poll() is None:
        found.kill()


def payload(number: int) -> bytes:
    """Return a message: which of two numbers is larger."""
    left, right = (number * 37) % 101, (number * 53) % 97
    row = {"n": number, "left": left, "right": right, "larger": "l" if left > right else "r"}
    return json.dumps(row).encode()


def learned(client: Client) -> int:
    """Return how many rows the network has learned."""
    return client.networks.get("n1").statistics.learned_rows


def kill_kyouko(mesh: RunningMesh) -> None:
    """End kyouko without a word, and start it again."""
    state = local_mesh.running_state(mesh.home)
    component = state.component("kyouko") if state else None
    assert component is not None
    process = psutil.Process(component.pid)
    process.kill()
    process.wait(10)
    local_mesh.restart(mesh.home, "kyouko", lambda event: None)


def publish_mqtt(broker: MqttBroker, numbers: range) -> None:
    """Publish messages with QoS 1."""
    publish(broker, [(str(number), payload(number)) for number in numbers])


def publish_nats(broker: NatsBroker, numbers: range, stream: str = "PUMPS") -> None:
    """Publish messages into a JetStream stream."""

    async def publish() -> None:
        connection = await nats.connect(broker.url)
        context = connection.jetstream()
        await context.add_stream(name=stream, subjects=["pumps.*"])
        for number in numbers:
            await context.publish("pumps.1", payload(number))
        await connection.close()

    asyncio.run(publish())


def unacknowledged(broker: NatsBroker, stream: str, durable: str) -> int:
    """Return how many messages the consumer still waits for, or has not handed out."""

    async def ask() -> int:
        connection = await nats.connect(broker.url)
        found = await connection.jetstream().consumer_info(stream, durable)
        await connection.close()
        return (found.num_ack_pending or 0) + (found.num_pending or 0)

    return asyncio.run(ask())


def test_mqtt_messages_are_learned_once_over_kills_and_repetitions(
    mesh: RunningMesh, client: Client, broker: NatsBroker, bridges: Bridges
) -> None:
    """Bridge and server are killed in the middle, and every message is published twice."""
    mqtt = {"host": "127.0.0.1", "port": broker.mqtt_port, "topics": ["pumps/+"]}
    bridges.configure({"mqtt": {**mqtt, "client_id": "bridge"}}, id={"field": "n"})
    bridges.start()
    bridges.wait_until(lambda: "is connected" in bridges.log.read_text())
    publish_mqtt(broker, range(100))
    bridges.wait_until(lambda: learned(client) > 10)
    bridges.kill()
    publish_mqtt(broker, range(50, 200))

    bridges.start()
    bridges.wait_until(lambda: learned(client) > 110)
    kill_kyouko(mesh)
    publish_mqtt(broker, range(MESSAGES))
    bridges.wait_until(lambda: learned(client) >= MESSAGES)
    bridges.end()

    assert MESSAGES == learned(client)
    assert "delivered again and known" in bridges.log.read_text()


def test_mqtt_5_over_tls_with_ids_as_user_properties(
    client: Client, bridges: Bridges, tmp_path: Path
) -> None:
    """The bridge is killed in the middle, half of the messages is published twice."""
    (certificates,) = certificates_of(tmp_path / "tls", "broker")
    broker = RumqttdBroker(tmp_path, certificates)
    broker.start()
    mqtt = {"host": "localhost", "port": broker.mqtt_port, "topics": ["pumps/+"], "version": "5"}
    tls = {"tls": True, "ca_file": str(certificates.authority)}
    bridges.configure({"mqtt": {**mqtt, **tls, "client_id": "bridge"}}, id={"property": "number"})
    bridges.start()
    bridges.wait_until(lambda: "is connected" in bridges.log.read_text())
    publish_mqtt(broker, range(60))
    bridges.wait_until(lambda: learned(client) > 5)
    bridges.kill()
    publish_mqtt(broker, range(30, 90))

    bridges.start()
    bridges.wait_until(lambda: learned(client) >= 90)
    bridges.wait_until(lambda: "delivered again and known" in bridges.log.read_text())
    bridges.end()
    broker.kill()

    assert 90 == learned(client)


def test_jetstream_messages_are_learned_once_over_kills(
    client: Client, broker: NatsBroker, bridges: Bridges
) -> None:
    """Bridge and broker are killed in the middle; in the end the broker waits for nothing."""
    nats_source = {"url": broker.url, "subjects": ["pumps.*"], "stream": "PUMPS"}
    source = {**nats_source, "durable": "bridge", "ack_wait_seconds": 2}
    bridges.configure({"nats": source}, max_under_way=40)
    publish_nats(broker, range(200))
    bridges.start()
    bridges.wait_until(lambda: learned(client) > 20)
    bridges.kill()

    bridges.start()
    bridges.wait_until(lambda: learned(client) > 60)
    broker.kill()
    broker.start()
    publish_nats(broker, range(200, MESSAGES))
    bridges.wait_until(lambda: learned(client) >= MESSAGES)
    bridges.wait_until(lambda: unacknowledged(broker, "PUMPS", "bridge") == 0)
    bridges.end()

    assert MESSAGES == learned(client)


def test_core_nats_and_unreadable_messages(
    client: Client, broker: NatsBroker, bridges: Bridges
) -> None:
    """What cannot be read is told and left out; equal messages are one."""
    bridges.configure({"nats": {"url": broker.url, "subjects": ["pumps.*"]}})
    bridges.start()
    bridges.wait_until(lambda: "is connected" in bridges.log.read_text())

    async def publish() -> None:
        connection = await nats.connect(broker.url)
        for data in (b"{", payload(1), payload(2), payload(1), b'{"left": "much"}', payload(3)):
            await connection.publish("pumps.1", data)
        await connection.close()

    asyncio.run(publish())
    bridges.wait_until(lambda: learned(client) >= 3)
    bridges.end()

    assert 3 == learned(client)
    told = bridges.log.read_text()
    assert "left out a message of pumps.1: It is not JSON" in told
    assert "Field 'left' is no number" in told


@pytest.mark.parametrize("kind", ["mqtt", "nats"])
def test_a_broker_that_is_not_there_is_told_and_left(bridges: Bridges, kind: str) -> None:
    """The bridge goes on trying, and ends in good order all the same."""
    port = free_port()
    sources = {
        "mqtt": {"port": port, "topics": ["t"], "client_id": "bridge"},
        "nats": {"url": f"nats://127.0.0.1:{port}", "subjects": ["t"]},
    }
    bridges.configure({kind: sources[kind]})
    bridges.start()

    bridges.wait_until(lambda: str(port) in bridges.log.read_text())
    bridges.end()

    assert "Traceback" not in bridges.log.read_text()


def test_an_entry_that_does_not_fit_the_network_is_told(
    client: Client, broker: NatsBroker, bridges: Bridges, hanami: Command, tmp_path: Path
) -> None:
    """Before any message is taken."""
    source = {"nats": {"url": broker.url, "subjects": ["pumps.*"]}}
    bridges.configure(source, inputs=["left"])
    narrow = hanami("bridge", "--config", str(tmp_path / "bridge.yaml"))
    bridges.configure(source, lable="x")

    wrong = hanami("bridge", "--config", str(tmp_path / "bridge.yaml"))

    assert (1, 2) == (narrow.exit_code, wrong.exit_code)
    assert "n1 has 2 channels, its entry 1 inputs" in narrow.stderr
    assert "networks[0].lable: there is no such field" in wrong.stderr
