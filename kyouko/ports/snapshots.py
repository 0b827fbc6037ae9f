"""Where the states of networks are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kyouko.domain.networks.network import SnapshotContent


class DamagedSnapshot(Exception):
    """A snapshot that is there, but is not what was stored, or is no longer there."""


@dataclass(frozen=True)
class StoredSnapshot:
    """What a store knows of a snapshot.

    Attributes:
        size_bytes: as it is stored.
        create_time: when it was stored.
    """

    size_bytes: int
    create_time: datetime


class SnapshotStore(Protocol):
    """Keeps snapshots. A snapshot is there completely or not at all."""

    async def save(self, prefix: str, content: SnapshotContent) -> str:
        """Store a snapshot below a prefix; returns its name.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE: it could not be stored.
        """

    async def load(self, name: str) -> SnapshotContent:
        """Return a snapshot.

        Raises:
            DamagedSnapshot: Its bytes are not those that were stored.
            Unavailable: DEPENDENCY_UNAVAILABLE: it could not be read.
        """

    async def delete(self, name: str) -> None:
        """Delete a snapshot; a missing one counts as deleted."""

    async def names(self, prefix: str) -> Sequence[str]:
        """Return the names of all snapshots below a prefix."""

    async def describe(self, name: str) -> StoredSnapshot | None:
        """Return what is known of a snapshot; None if it is not there.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE: the store does not answer.
        """
