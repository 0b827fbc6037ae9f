"""Where the rows of networks are kept."""

from collections.abc import Sequence, Set
from typing import Protocol

from kyouko.domain.holdings import Holding
from kyouko.domain.networks.network import Network, NetworkEntry, SnapshotRecord
from mesh.visibility import Sight, Visibility


class NetworkRepository(Protocol):
    """Keeps the rows of networks. Each method is one transaction."""

    async def create(self, network: Network) -> None:
        """Store a new network.

        Raises:
            AlreadyExists: RESOURCE_EXISTS.
        """

    async def entry(self, project_id: str, network_id: str) -> NetworkEntry | None:
        """Return who may know of a network, or None; nothing of its content is read."""

    async def get(self, project_id: str, network_id: str) -> Network:
        """Return a network.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """

    async def list(
        self, project_id: str, *, sight: Sight, after: str, limit: int
    ) -> Sequence[Network]:
        """Return networks in sight by id, byte by byte, after the id `after`."""

    async def projects(self) -> Set[str]:
        """Return the projects that have networks."""

    async def set_visibility(self, uid: str, visibility: Visibility) -> bool:
        """Store who may know of a network; returns whether it is there."""

    async def holdings(self) -> Sequence[Holding]:
        """Return what all networks count in quotas, in any order."""

    async def record_snapshot(
        self, uid: str, record: SnapshotRecord, *, instead: bool = False
    ) -> str | None:
        """Point a network to a new snapshot; the newest one up to now becomes the one before.

        Args:
            uid: The network's.
            record: What the snapshot holds.
            instead: It takes the place of the newest one; the one before stays.

        Returns:
            The name of the snapshot that is no longer needed (empty: none); None when the
            network is gone.

        Raises:
            ValueError: A statistic is not finite.
        """

    async def record_problem(self, uid: str, problem: str) -> None:
        """Note what of a network was lost by damage; a missing network is left missing."""

    async def fall_back(self, uid: str, snapshot: str, journal_position: int) -> None:
        """Point a network to an older snapshot, or to none, because the newest is damaged."""

    async def by_uid(self, uids: Set[str]) -> Sequence[Network]:
        """Return those networks that exist, in any order."""

    async def snapshots(self) -> Set[str]:
        """Return the names of the snapshots that networks point to."""

    async def delete(self, uid: str) -> None:
        """Delete a network and its tasks; a missing one counts as deleted."""
