"""Messages as brokers deliver them, whichever broker it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Message:
    """One delivery of a message.

    Attributes:
        topic: the topic or subject.
        payload: its bytes.
        acknowledge: tells the broker that it need not be delivered again.
        broker_id: what the broker calls the message itself, the same for every
            delivery; empty when it has no such name.
        properties: user properties or headers.
    """

    topic: str
    payload: bytes
    acknowledge: Callable[[], Awaitable[None]]
    broker_id: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


Deliver = Callable[[Message], Awaitable[None]]
Tell = Callable[[str], None]
