"""What networks there are, as far as quotas count it: networks, synapses, snapshots.

One kyouko has all networks of its database, so it counts them in memory. Synapses grow while a
network learns; they are looked at several times in a second (`kyouko.domain.growth`), not with
every row.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from kyouko.domain.engine import NetworkKind
from kyouko.domain.networks.network import Network
from mesh.quota_counts import QuotaCounts
from mesh.quotas import Quota, QuotaExceeded, subjects_of

# What is counted here, and told by GetProjectUsage and GetUserUsage.
COUNTED_HERE = (
    Quota.NETWORKS,
    Quota.SYNAPSES,
    Quota.SNAPSHOTS,
    Quota.STREAMS,
    Quota.ROWS_PER_SECOND,
    Quota.QUEUED_TASKS,
)


@dataclass(frozen=True)
class Holding:
    """One network, as far as it counts.

    Attributes:
        synapses: all its weights.
        snapshots: how many are stored.
    """

    uid: str
    project_id: str
    creator: str
    synapses: int
    snapshots: int

    @property
    def subjects(self) -> tuple[str, ...]:
        """Whose quotas it counts in."""
        return subjects_of(self.project_id, self.creator)


def holding_of(network: Network) -> Holding:
    """Return what a network counts."""
    return Holding(
        network.uid,
        network.project_id,
        network.creator,
        network.statistics.connections,
        snapshots=(network.snapshot != "") + (network.snapshot_before != ""),
    )


class Holdings:
    """All networks."""

    def __init__(self, counts: QuotaCounts) -> None:
        self._counts = counts
        self._known: dict[str, Holding] = {}

    def begin(self, holdings: Iterable[Holding]) -> None:
        """Count what is there when the service starts."""
        for holding in holdings:
            self._known[holding.uid] = holding
            self._count(holding, +1)

    def check_one_more(self, subjects: Sequence[str]) -> None:
        """Refuse who may have no network more.

        Raises:
            QuotaExceeded: QUOTA_EXCEEDED.
        """
        self._counts.check(subjects, Quota.NETWORKS, 1)

    @contextmanager
    def making(self, network: Network) -> Iterator[None]:
        """Count a network that is being stored in the context; no more if that fails.

        Raises:
            QuotaExceeded: QUOTA_EXCEEDED.
        """
        holding = holding_of(network)
        with (
            self._counts.held(holding.subjects, Quota.NETWORKS) as one,
            self._counts.held(holding.subjects, Quota.SYNAPSES, holding.synapses) as synapses,
        ):
            yield
            self._known[network.uid] = holding
            one.keep()
            synapses.keep()

    def forget(self, uid: str) -> None:
        """Count a network no more, because it is gone."""
        holding = self._known.pop(uid, None)
        if holding is not None:
            self._count(holding, -1)

    def update(self, network: Network, synapses: int) -> bool:
        """Note how a network is by now; tells whether it has grown."""
        before = self._known.get(network.uid)
        if before is None:
            return False
        now = replace(holding_of(network), synapses=synapses)
        if now == before:
            return False
        self._known[network.uid] = now
        self._counts.add(now.subjects, Quota.SYNAPSES, now.synapses - before.synapses)
        self._counts.add(now.subjects, Quota.SNAPSHOTS, now.snapshots - before.snapshots)
        return now.synapses > before.synapses

    def check_room_to_grow(self, network: Network) -> None:
        """Refuse to let a network learn that would grow, when no synapse more may be.

        Static networks have all of theirs from the start.

        Raises:
            QuotaExceeded: QUOTA_EXCEEDED.
        """
        if network.structure.kind is NetworkKind.GROWING:
            subjects = subjects_of(network.project_id, network.creator)
            self._counts.check(subjects, Quota.SYNAPSES, 1)

    def excess(self, network: Network) -> QuotaExceeded | None:
        """Return the error of a network that has grown beyond a quota; None within it."""
        for subject in subjects_of(network.project_id, network.creator):
            limit = self._counts.limit(subject, Quota.SYNAPSES)
            used = self._counts.used(subject, Quota.SYNAPSES)
            if used > limit:
                return QuotaExceeded(subject, Quota.SYNAPSES, limit=limit, used=used)
        return None

    @contextmanager
    def snapshotting(self, network: Network, *, is_new: bool) -> Iterator[None]:
        """Hold a place for a snapshot that somebody asks for, while it is taken.

        A network that has two already gives its older one away.

        Args:
            network: As it is before.
            is_new: Whether its newest snapshot does not hold all of it, if there is one.

        Raises:
            QuotaExceeded: QUOTA_EXCEEDED.
        """
        if network.snapshot_before or (network.snapshot and not is_new):
            yield
            return
        with self._counts.held(subjects_of(network.project_id, network.creator), Quota.SNAPSHOTS):
            yield

    def _count(self, holding: Holding, sign: int) -> None:
        for quota, amount in (
            (Quota.NETWORKS, 1),
            (Quota.SYNAPSES, holding.synapses),
            (Quota.SNAPSHOTS, holding.snapshots),
        ):
            self._counts.add(holding.subjects, quota, sign * amount)
