"""Which key signs when, and how long the keys before and after it are published.

A new key is published a while before it signs, so that everybody who verifies tokens
has it by then, and an old one for as long as a token signed with it may be in use. So
a rotation refuses nobody's token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class KeyTimes:
    """A key by its id, and when it was made and begins to sign."""

    key_id: str
    create_time: datetime
    activate_time: datetime


@dataclass(frozen=True)
class RotationRules:
    """When keys come and go.

    Attributes:
        ahead: How long a key is published before it signs.
        kept: How long it is published after the next one signs: as long as the
            longest token lasts.
        longest: A key that has signed for so long is replaced.
    """

    ahead: timedelta
    kept: timedelta
    longest: timedelta

    def published(self, keys: Sequence[KeyTimes], now: datetime) -> Sequence[KeyTimes]:
        """Return the keys that tokens in use, or soon in use, are signed with; newest first."""
        ordered = sorted(keys, key=lambda key: key.activate_time)
        replaced = [key.activate_time for key in ordered[1:]]
        kept = [key for key, at in zip(ordered, replaced, strict=False) if at + self.kept > now]
        return [*ordered[-1:], *reversed(kept)]

    def is_due(self, keys: Sequence[KeyTimes], now: datetime) -> bool:
        """Tell whether the next key should be made, so that it can sign in time."""
        newest = max(key.activate_time for key in keys)
        return now + self.ahead >= newest + self.longest


def current_of(keys: Sequence[KeyTimes], now: datetime) -> KeyTimes:
    """Return the key that signs: the last one whose time has come."""
    ordered = sorted(keys, key=lambda key: key.activate_time)
    begun = [key for key in ordered if key.activate_time <= now]
    return begun[-1] if begun else ordered[0]
