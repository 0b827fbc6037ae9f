"""What the bridge asks of MQTT brokers: the broker forgets a message when told so, not before."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hanami_sdk.bridge import mqtt
from hanami_sdk.bridge.configuration import Mqtt
from hanami_sdk.bridge.messages import Message
from hanami_sdk.bridge.sources import Ending, Line
from tests.certificates import certificates_of
from tests.integration.hanami_sdk.brokers import MqttBroker, NatsBroker, RumqttdBroker, publish


def nats_broker(folder: Path) -> MqttBroker:
    """Return a broker of version 3.1.1."""
    return NatsBroker(folder)


def nats_broker_with_tls(folder: Path) -> MqttBroker:
    """Return a broker of version 3.1.1 that encrypts."""
    return NatsBroker(folder, certificates=certificates_of(folder / "tls", "broker")[0])


def rumqttd_broker(folder: Path) -> MqttBroker:
    """Return a broker of version 5."""
    return RumqttdBroker(folder)


def rumqttd_broker_with_tls(folder: Path) -> MqttBroker:
    """Return a broker of version 5 that encrypts."""
    return RumqttdBroker(folder, certificates_of(folder / "tls", "broker")[0])


@pytest.fixture(params=[nats_broker, nats_broker_with_tls, rumqttd_broker, rumqttd_broker_with_tls])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MqttBroker]:
    """Return a broker of each kind that runs."""
    make: Callable[[Path], MqttBroker] = request.param
    found = make(tmp_path)
    found.start()
    yield found
    found.kill()


@dataclass
class Reading:
    """A connection of the bridge, and what has come over it."""

    broker: MqttBroker
    acknowledges: bool = False
    messages: list[Message] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._changed = asyncio.Event()
        self._ending = Ending(asyncio.Event(), asyncio.Event())
        line = Line(self._deliver, self._ending, self._tell)
        self._task = asyncio.create_task(mqtt.run(source_for(self.broker), line))

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something to come."""
        async with asyncio.timeout(60):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    async def close(self) -> None:
        """End the connection in good order."""
        self._ending.begins.set()
        self._ending.is_done.set()
        await self._task

    async def _deliver(self, message: Message) -> None:
        self.messages.append(message)
        if self.acknowledges:
            await message.acknowledge()
        self._changed.set()

    def _tell(self, line: str) -> None:
        self.told.append(line)
        self._changed.set()


def source_for(broker: MqttBroker) -> Mqtt:
    """Return the configuration of a source."""
    known: dict[str, object] = {}
    if broker.certificates is not None:
        known = {"tls": True, "ca_file": broker.certificates.authority}
    return Mqtt.model_validate(
        {
            "host": "localhost",
            "port": broker.mqtt_port,
            "topics": ["pumps/+"],
            "client_id": "bridge",
            "version": broker.version,
            **known,
        }
    )


def payloads(messages: list[Message]) -> list[bytes]:
    """Return what messages hold, each once, in order."""
    return sorted({message.payload for message in messages})


async def test_what_is_not_acknowledged_is_delivered_again(broker: MqttBroker) -> None:
    """And what is acknowledged is not, but for what its broker had not read when we left."""
    first = Reading(broker)
    await first.until(lambda: any("is connected" in line for line in first.told))
    await asyncio.to_thread(publish, broker, [(f"m{n}", b"%d" % n) for n in range(6)])
    await first.until(lambda: len(payloads(first.messages)) == 6)
    for message in first.messages[:2]:
        await message.acknowledge()
    acknowledged = payloads(first.messages[:2])
    await first.close()

    second = Reading(broker)
    await second.until(lambda: len(payloads(second.messages)) == 4)
    for message in second.messages:
        await message.acknowledge()
    await second.close()
    later = [await _delivered_with(broker, b"last %d" % n) for n in range(4)]

    assert [b"0", b"1"] == acknowledged
    assert [b"2", b"3", b"4", b"5"] == payloads(second.messages)
    assert set() == set(payloads(second.messages)) & set(later[-1])


async def _delivered_with(broker: MqttBroker, payload: bytes) -> list[bytes]:
    """Return what comes over a connection of its own until a new message does."""
    reading = Reading(broker, acknowledges=True)
    await reading.until(lambda: any("is connected" in line for line in reading.told))
    await asyncio.to_thread(publish, broker, [("last", payload)])
    await reading.until(lambda: payload in payloads(reading.messages))
    await reading.close()
    return payloads(reading.messages)


async def test_more_than_the_broker_hands_out_at_once_has_waited(broker: MqttBroker) -> None:
    """A broker that first wants to be rid of the old messages is not waited for."""
    first = Reading(broker)
    await first.until(lambda: any("is connected" in line for line in first.told))
    await first.close()
    waiting = [(f"m{n}", b"%d" % n) for n in range(150)]
    await asyncio.to_thread(publish, broker, waiting)

    second = Reading(broker, acknowledges=True)
    await second.until(lambda: len(payloads(second.messages)) == len(waiting))
    await second.until(lambda: bool(second.told))
    await second.close()

    assert sorted(payload for _, payload in waiting) == payloads(second.messages)
    assert ["is connected"] == [" ".join(line.split()[-2:]).strip(".") for line in second.told]


async def test_user_properties_come_with_version_5(broker: MqttBroker) -> None:
    """In version 3.1.1 there are none."""
    reading = Reading(broker)
    await reading.until(lambda: any("is connected" in line for line in reading.told))
    await asyncio.to_thread(publish, broker, [("m7", b"x")])
    await reading.until(lambda: bool(reading.messages))
    await reading.close()

    expected = {"number": "m7"} if broker.version == "5" else {}
    assert ("pumps/1", expected) == (reading.messages[0].topic, reading.messages[0].properties)


async def test_a_broker_that_comes_back_is_found_again(tmp_path: Path) -> None:
    """The loss is told; what it kept is delivered, and what is acknowledged then stays so."""
    broker = NatsBroker(tmp_path)
    broker.start()
    reading = Reading(broker)
    await reading.until(lambda: any("is connected" in line for line in reading.told))
    await asyncio.to_thread(publish, broker, [("m1", b"before")])
    await reading.until(lambda: bool(reading.messages))

    await asyncio.to_thread(broker.kill)
    await reading.until(lambda: any("is lost" in line for line in reading.told))
    await asyncio.to_thread(broker.start)
    await reading.until(lambda: len(reading.messages) > 1)
    await reading.close()
    broker.kill()

    assert [b"before"] == payloads(reading.messages)


async def test_a_certificate_of_nobody_known_is_refused(tmp_path: Path) -> None:
    """The reason is told, and nothing is read from such a broker."""
    (certificates,) = certificates_of(tmp_path / "tls", "broker")
    (others,) = certificates_of(tmp_path / "others", "broker")
    broker = NatsBroker(tmp_path, certificates=certificates)
    broker.start()
    broker.certificates = others
    reading = Reading(broker)

    await reading.until(lambda: any("is lost" in line for line in reading.told))
    await reading.close()
    broker.kill()

    assert "certificate verify failed" in reading.told[0].lower()
    assert [] == reading.messages


async def test_a_broker_that_refuses_is_told(tmp_path: Path) -> None:
    """NATS knows no version 5; the bridge says so and goes on trying."""
    broker = NatsBroker(tmp_path, version="5")
    broker.start()
    reading = Reading(broker)

    await reading.until(lambda: len(reading.told) > 1)
    await reading.close()
    broker.kill()

    assert "the broker refuses: Unsupported protocol version" in reading.told[0]
