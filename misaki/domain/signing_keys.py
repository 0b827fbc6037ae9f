"""Shows the keys that sign tokens, and replaces them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mesh.access import Caller
from misaki.domain.key_times import KeyTimes, RotationRules, current_of
from misaki.ports import Clock, KeyRing


class KeyState(StrEnum):
    """What a published key is for."""

    NEXT = "NEXT"
    CURRENT = "CURRENT"
    PREVIOUS = "PREVIOUS"


@dataclass(frozen=True)
class PublishedKey:
    """A key that verifies tokens.

    Attributes:
        times: Which key, since when.
        state: What it is for.
        expire_time: When it is published no longer; None while that is not known.
    """

    times: KeyTimes
    state: KeyState
    expire_time: datetime | None


class SigningKeys:
    """Shows the keys, and replaces the one that signs."""

    def __init__(
        self,
        ring: KeyRing,
        rules: RotationRules,
        *,
        clock: Clock,
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        """Take the parts.

        Args:
            ring: The keys.
            rules: When they come and go.
            clock: Tells the time.
            changed: Called when there is another set of keys, to tell everybody.
        """
        self._ring = ring
        self._rules = rules
        self._clock = clock
        self._changed = changed

    def list(self, caller: Caller) -> Sequence[PublishedKey]:
        """Return the keys that are published, newest first.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        caller.authorize_method()
        return self._published()

    async def rotate(self, caller: Caller, *, immediately: bool) -> PublishedKey:
        """Make the next key; returns the one that is there if it does not sign yet.

        Args:
            caller: Who calls.
            immediately: The keys so far are in wrong hands: the new one signs from now
                on, and every token signed before is void.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        caller.authorize_method()
        self._ring.rotate(immediately=immediately)
        await self._changed()
        return self._published()[0]

    async def rotate_if_due(self) -> bool:
        """Make the next key when it is time; returns whether it was."""
        if not self._rules.is_due(self._ring.times(), self._clock()):
            return False
        self._ring.rotate(immediately=False)
        await self._changed()
        return True

    def _published(self) -> Sequence[PublishedKey]:
        now = self._clock()
        keys = self._rules.published(self._ring.times(), now)
        current = current_of(keys, now)
        found: list[PublishedKey] = []
        successor: KeyTimes | None = None
        for key in keys:
            ends = successor.activate_time + self._rules.kept if successor else None
            found.append(PublishedKey(key, _state(key, current), ends))
            successor = key
        return found


def _state(key: KeyTimes, current: KeyTimes) -> KeyState:
    if key == current:
        return KeyState.CURRENT
    return KeyState.NEXT if key.activate_time > current.activate_time else KeyState.PREVIOUS
