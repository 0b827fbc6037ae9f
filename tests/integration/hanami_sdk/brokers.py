"""Real MQTT brokers: a NATS server speaks version 3.1.1, rumqttd version 5; and who publishes."""

import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import paho.mqtt.client as paho
from iotcore import Broker as Rumqttd
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hanami_sdk.local.peer_files import PeerFiles
from tests.e2e.conftest import free_port
from tests.nats import NatsServer, until_it_listens

_NATS = """
server_name: bridge-test
mqtt {{ listen: "127.0.0.1:{port}", ack_wait: "2s" {tls} }}
"""
_RUMQTTD = """
id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[v5.1]
name = "v5"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
{tls}
[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = 20480
max_inflight_count = 100
"""


class MqttBroker(Protocol):
    """What all brokers have in common.

    Attributes:
        version: of the protocol.
        mqtt_port: where it is spoken.
        certificates: what it proves who it is with; None where MQTT is spoken in the clear.
    """

    version: str
    mqtt_port: int
    certificates: PeerFiles | None

    def start(self) -> None:
        """Start it and wait until it listens."""

    def kill(self) -> None:
        """End it without a word."""


@dataclass
class NatsBroker(NatsServer):
    """A NATS server with JetStream that is an MQTT broker, too."""

    version: str = "3.1.1"
    mqtt_port: int = 0
    certificates: PeerFiles | None = None

    def start(self) -> None:
        """Start it and wait until both protocols are spoken."""
        self.mqtt_port = self.mqtt_port or free_port()
        tls = ""
        if self.certificates is not None:
            files = self.certificates
            tls = f', tls {{ cert_file: "{files.certificate}", key_file: "{files.private_key}" }}'
        configuration = self.folder / "nats.conf"
        configuration.write_text(_NATS.format(port=self.mqtt_port, tls=tls))
        self.arguments = ("-c", str(configuration))
        super().start()
        until_it_listens(self.mqtt_port)


class RumqttdBroker:
    """A broker of version 5; its sessions live as long as it does."""

    version = "5"

    def __init__(self, folder: Path, certificates: PeerFiles | None = None) -> None:
        self.mqtt_port = free_port()
        self.certificates = certificates
        tls = ""
        if certificates is not None:
            tls = "[v5.1.tls]\n"
            tls += (
                f'certpath = "{certificates.certificate}"\nkeypath = "{certificates.private_key}"'
            )
        configuration = folder / "rumqttd.toml"
        configuration.write_text(_RUMQTTD.format(port=self.mqtt_port, tls=tls))
        self._broker = Rumqttd(config_path=str(configuration))

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._broker.start(30.0)

    def kill(self) -> None:
        """End it."""
        self._broker.stop()


def publish(broker: MqttBroker, messages: Iterable[tuple[str, bytes]]) -> None:
    """Publish messages to `pumps/1` with QoS 1, each with an id as a user property (version 5)."""
    is_five = broker.version == "5"
    client = paho.Client(
        paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5 if is_five else paho.MQTTv311
    )
    if broker.certificates is not None:
        client.tls_set_context(ssl.create_default_context(cafile=broker.certificates.authority))
    is_connected = threading.Event()
    client.on_connect = lambda *_: is_connected.set()
    client.connect("localhost", broker.mqtt_port)
    client.loop_start()
    assert is_connected.wait(30)
    for identity, payload in messages:
        properties: Any = Properties(PacketTypes.PUBLISH) if is_five else None
        if is_five:
            properties.UserProperty = ("number", identity)
        client.publish("pumps/1", payload, qos=1, properties=properties).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()
