"""MQTT: messages are acknowledged by hand, and the broker remembers those that are not.

A message of QoS 1 is acknowledged when it is durable. Until then the broker keeps it in
the persistent session of `client_id`, and delivers it again after a break. How many it
hands out without an acknowledgement is the broker's limit, so memory is bounded; messages
of QoS 0 that nobody has room for are dropped, and told.

paho speaks the protocol in a thread of its own, because it can acknowledge by hand
(`manual_ack`, `ack`); what comes is handed to the event loop.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from hanami_sdk.bridge.configuration import Mqtt
from hanami_sdk.bridge.messages import Message
from hanami_sdk.bridge.sources import Line, library

# QoS 0 knows no acknowledgement that would hold the broker back.
_MOST_WAITING_OF_QOS_0 = 10_000
# The most messages that the broker hands out unacknowledged (version 5).
_RECEIVE_MAXIMUM = 1000
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 10.0


class MqttLost(Exception):
    """The broker is gone, or wants nothing of this client."""


class _Subscribed:
    """Says that the broker has taken the subscription."""


async def run(source: Mqtt, line: Line) -> None:
    """Deliver the messages of a broker until the bridge ends."""
    paho = library("paho.mqtt.client", "paho-mqtt")
    name = f"The MQTT broker {source.host}:{source.port}"

    async def connected() -> None:
        async with _connected(paho, source, line) as connection:
            await line.read_until_the_end(lambda: connection.read(name))

    await line.keep_up(name, connected, MqttLost, OSError)


@asynccontextmanager
async def _connected(paho: Any, source: Mqtt, line: Line) -> AsyncIterator[_Connection]:
    connection = _Connection(await asyncio.to_thread(_client, paho, source), line)
    try:
        await connection.open(source)
        yield connection
    finally:
        await asyncio.to_thread(connection.close)


class _Connection:
    """One connection; paho's thread calls the methods that begin with `_on_`."""

    def __init__(self, client: Any, line: Line) -> None:
        self._client = client
        self._line = line
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Queue[Any] = asyncio.Queue()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._dropped = 0
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message

    async def open(self, source: Mqtt) -> None:
        """Connect, and ask for a subscription.

        Raises:
            MqttLost: the broker refuses.
            OSError: there is none.
        """
        await asyncio.to_thread(_connect, self._client, source)
        self._client.loop_start()
        try:
            await asyncio.wait_for(asyncio.shield(self._connected), _ANSWER_SECONDS)
        except TimeoutError:
            self._connected.cancel()
            raise MqttLost("the broker does not answer") from None
        self._client.subscribe([(topic, source.qos) for topic in source.topics])

    async def read(self, name: str) -> None:
        """Deliver what arrives, until the connection is lost.

        A broker may hand out what it kept for this client before it answers the subscription,
        and wait with the answer until that is acknowledged.
        """
        arrived = await self._first()
        while True:
            if isinstance(arrived, MqttLost):
                raise arrived
            if isinstance(arrived, _Subscribed):
                self._line.tell(f"{name} is connected.")
            else:
                await self._line.deliver(self._message(arrived))
            arrived = await self._arrived.get()

    def close(self) -> None:
        """End it in good order, if it is there."""
        self._client.disconnect()
        self._client.loop_stop()

    async def _first(self) -> Any:
        try:
            return await asyncio.wait_for(self._arrived.get(), _ANSWER_SECONDS)
        except TimeoutError:
            raise MqttLost("the broker does not answer a subscription") from None

    def _message(self, arrived: Any) -> Message:
        async def acknowledge() -> None:
            # On a connection that is gone this does nothing: the broker delivers again.
            self._client.ack(arrived.mid, arrived.qos)

        pairs = getattr(arrived.properties, "UserProperty", None) or ()
        return Message(arrived.topic, arrived.payload, acknowledge, properties=dict(pairs))

    def _on_connect(self, client: Any, data: Any, flags: Any, code: Any, more: Any) -> None:
        problem = MqttLost(f"the broker refuses: {code}") if code.is_failure else None
        self._in_loop(self._settle, problem)

    def _on_subscribe(self, client: Any, data: Any, mid: int, codes: Any, more: Any) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        problem = MqttLost(f"the broker refuses a subscription: {refused[0]}") if refused else None
        self._in_loop(self._arrived.put_nowait, problem or _Subscribed())

    def _on_disconnect(self, client: Any, data: Any, flags: Any, code: Any, more: Any) -> None:
        lost = MqttLost(f"disconnected: {code}")
        self._in_loop(self._settle, lost)
        self._in_loop(self._arrived.put_nowait, lost)

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        self._in_loop(self._take, message)

    def _in_loop(self, call: Callable[[Any], None], argument: Any) -> None:
        # After the loop nobody is there to be told.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, argument)

    def _settle(self, problem: MqttLost | None) -> None:
        if self._connected.done():
            return
        if problem is None:
            self._connected.set_result(None)
        else:
            self._connected.set_exception(problem)

    def _take(self, message: Any) -> None:
        """Keep a message until its turn; one of QoS 0 only while there is room."""
        if message.qos == 0 and self._arrived.qsize() >= _MOST_WAITING_OF_QOS_0:
            self._dropped += 1
            if self._dropped & (self._dropped - 1) == 0:
                self._line.tell(f"{self._dropped} messages of QoS 0 were dropped: no room.")
            return
        self._arrived.put_nowait(message)


class _Socket(ssl.SSLSocket):
    """A socket that is closed when its peer cannot be trusted; paho only drops it."""

    def do_handshake(self, block: bool = False) -> None:
        """Agree on keys with the peer, or end the connection."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _client(paho: Any, source: Mqtt) -> Any:
    is_five = source.version == "5"
    client = paho.Client(
        paho.CallbackAPIVersion.VERSION2,
        client_id=source.client_id,
        # In version 5 that is said with each connection.
        clean_session=None if is_five else False,
        protocol=paho.MQTTv5 if is_five else paho.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = _CONNECT_SECONDS
    if source.tls:
        context = ssl.create_default_context(cafile=source.ca_file)
        context.sslsocket_class = _Socket
        client.tls_set_context(context)
    if source.username:
        client.username_pw_set(source.username, source.password())
    return client


def _connect(client: Any, source: Mqtt) -> None:
    if source.version == "5":
        properties = _session_properties(source)
        client.connect(source.host, source.port, clean_start=False, properties=properties)
    else:
        client.connect(source.host, source.port)


def _session_properties(source: Mqtt) -> Any:
    kinds = library("paho.mqtt.packettypes", "paho-mqtt").PacketTypes
    properties = library("paho.mqtt.properties", "paho-mqtt").Properties(kinds.CONNECT)
    properties.SessionExpiryInterval = source.session_expiry_seconds
    properties.ReceiveMaximum = _RECEIVE_MAXIMUM
    return properties
