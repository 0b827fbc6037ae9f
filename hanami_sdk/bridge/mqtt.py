"""MQTT: messages are acknowledged by hand, and the broker remembers those that are not.

A message of QoS 1 is acknowledged when it is durable. Until then the broker keeps it in
the persistent session of `client_id`, and delivers it again after a break. How many it
hands out without an acknowledgement is the broker's limit, so memory is bounded; messages
of QoS 0 that nobody has room for are dropped, and told.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hanami_sdk.bridge.configuration import Mqtt
from hanami_sdk.bridge.messages import Message
from hanami_sdk.bridge.sources import Line, library

# QoS 0 knows no acknowledgement that would hold the broker back.
_MOST_WAITING_OF_QOS_0 = 10_000
# The most messages that the broker hands out unacknowledged (version 5).
_RECEIVE_MAXIMUM = 1000


async def run(source: Mqtt, line: Line) -> None:
    """Deliver the messages of a broker until the bridge ends."""
    aiomqtt = library("aiomqtt", "aiomqtt")
    name = f"The MQTT broker {source.host}:{source.port}"

    async def connected() -> None:
        client = _client(aiomqtt, source, line)
        # aiomqtt has no name for it: paho acknowledges only when it is told to.
        client._client.manual_ack_set(True)
        async with client:
            await client.subscribe([(topic, source.qos) for topic in source.topics])
            line.tell(f"{name} is connected.")

            async def read() -> None:
                async for message in client.messages:
                    await line.deliver(_message(client, message))

            await line.read_until_the_end(read)

    await line.keep_up(name, connected, aiomqtt.MqttError)


def _client(aiomqtt: Any, source: Mqtt, line: Line) -> Any:
    import ssl

    options: dict[str, Any] = {}
    if source.version == "5":
        options["protocol"] = aiomqtt.ProtocolVersion.V5
        options["clean_start"] = False
        options["properties"] = _session_properties(source)
    else:
        options["clean_session"] = False
    if source.tls:
        options["tls_context"] = ssl.create_default_context(cafile=source.ca_file)
    if source.username:
        options["username"] = source.username
        options["password"] = source.password()

    def queue(maxsize: int = 0) -> asyncio.Queue[Any]:
        return _Waiting(line)

    return aiomqtt.Client(
        source.host, source.port, identifier=source.client_id, queue_type=queue, **options
    )


def _session_properties(source: Mqtt) -> Any:
    kinds = library("paho.mqtt.packettypes", "aiomqtt").PacketTypes
    properties = library("paho.mqtt.properties", "aiomqtt").Properties(kinds.CONNECT)
    properties.SessionExpiryInterval = source.session_expiry_seconds
    properties.ReceiveMaximum = _RECEIVE_MAXIMUM
    return properties


def _message(client: Any, message: Any) -> Message:
    async def acknowledge() -> None:
        # On a connection that is gone this does nothing: the broker delivers again.
        client._client.ack(message.mid, message.qos)

    pairs = getattr(message.properties, "UserProperty", None) or ()
    payload = message.payload if isinstance(message.payload, bytes) else b""
    return Message(str(message.topic), payload, acknowledge, properties=dict(pairs))


class _Waiting(asyncio.Queue[Any]):
    """Messages that came and were not yet taken."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line
        self._dropped = 0

    def put_nowait(self, item: Any) -> None:
        """Take a message; one of QoS 0 only while there is room."""
        if item.qos == 0 and self.qsize() >= _MOST_WAITING_OF_QOS_0:
            self._dropped += 1
            if self._dropped & (self._dropped - 1) == 0:
                self._line.tell(f"{self._dropped} messages of QoS 0 were dropped: no room.")
            return
        super().put_nowait(item)
