"""Tells what happens while a mesh starts or stops."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hanami_sdk.local.state import EventKind, StartEvent

__all__ = ["OnEvent", "Story"]

OnEvent = Callable[[StartEvent], None]


@dataclass(frozen=True)
class Story:
    """Sends events that know how long the command has been at it."""

    on_event: OnEvent
    begun: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds since the command began."""
        return time.monotonic() - self.begun

    def tell(self, kind: EventKind, component: str, text: str) -> None:
        """Send one event."""
        self.on_event(StartEvent(kind, component, text, self.seconds))
