"""One network in memory, and the bounds of all that are."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kyouko.domain.networks.network import Network
from kyouko.domain.networks.owner import Owner
from kyouko.ports import NetworkJournal
from mesh.errors import DomainError, NotFound, Unavailable


@dataclass(frozen=True)
class LiveLimits:
    """Bounds of what is in memory and of what has to be learned again after a crash.

    Attributes:
        networks: most networks in memory.
        memory_bytes: most memory for all of them, copies to predict with too; one in use counts
            as large as it may grow, with all rows that may wait for their targets.
        snapshot_rows: rows learned after which a snapshot is due.
        snapshot_seconds: the same in time, when anything was learned at all.
        idle_seconds: time after which a network that nobody uses leaves memory.
    """

    networks: int = 64
    memory_bytes: int = 4 * 2**30
    snapshot_rows: int = 1_000_000
    snapshot_seconds: float = 30.0
    idle_seconds: float = 60.0


@dataclass
class LiveNetwork:
    """A network in memory, with its owner.

    Attributes:
        network: its row, as far as the last snapshot.
        journal: what was learned, in order.
        users: streams and tasks that hold it.
        snapshot_rows: learned rows that the last snapshot holds.
        kept_at: moment of the last snapshot, on the monotonic clock.
        used_at: moment when the last user left, on the same clock.
        keeping: held while a snapshot is taken.
        closed: whether it has left memory.
        deleted: whether it is gone for good.
        excess: why it gets no more rows to learn; None while it does.
        on_break: called when a change of the network broke off, so that it left memory.
    """

    network: Network
    owner: Owner
    journal: NetworkJournal
    users: int = 0
    snapshot_rows: int = 0
    kept_at: float = field(default_factory=time.monotonic)
    used_at: float = field(default_factory=time.monotonic)
    keeping: asyncio.Lock = field(default_factory=asyncio.Lock)
    closed: bool = False
    deleted: bool = False
    excess: DomainError | None = None
    on_break: set[Callable[[], None]] = field(default_factory=set)

    def check_there(self) -> None:
        """Refuse to begin anything with a network that has left memory.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: it has been deleted.
            Unavailable: NETWORK_RELOADING, SHUTTING_DOWN.
        """
        self.owner.ledger.check_whole()
        if self.deleted:
            raise NotFound(self.network.name)
        if self.closed:
            raise shutting_down()

    def leave(self) -> None:
        """Note that one user fewer holds the network."""
        self.users -= 1
        self.used_at = time.monotonic()

    @property
    def kept_rows(self) -> int:
        """Learned rows that no crash can take."""
        return self.owner.ledger.durable_rows

    def forget_durable(self) -> None:
        """Let go of what was remembered only until it is durable; a task alone never asks."""
        self.owner.ledger.forget_durable()

    @property
    def has_changed(self) -> bool:
        """Whether anything happened that the last snapshot does not hold."""
        return self.owner.ledger.position > self.network.journal_position

    @property
    def unsaved_rows(self) -> int:
        """Learned rows that the last snapshot does not hold."""
        return self.owner.learner.learned_rows - self.snapshot_rows

    @property
    def memory_bytes(self) -> int:
        """What the network may need before anybody can be refused more."""
        return self.most_bytes() if self.users else self.owner.ledger.statistics().memory_bytes

    def most_bytes(self, *, key: bytes = b"", horizon_rows: int = 0) -> int:
        """Return what the network may grow to, with the rows that wait for their targets.

        Args:
            key: of a session that is about to be opened.
            horizon_rows: of that session.
        """
        sessions = self.owner.ledger.sessions.most_memory_bytes(key=key, horizon_rows=horizon_rows)
        return most_bytes(self.network) + sessions

    def now(self) -> Network:
        """Return the network as it is at this moment, learning or not."""
        ledger = self.owner.ledger
        return replace(
            self.network,
            statistics=ledger.statistics(),
            labels=ledger.learner.labels.labels,
            kept_rows=self.kept_rows,
        )


def most_bytes(network: Network) -> int:
    """Return the memory that a network may grow to, without its sessions."""
    return network.structure.options.memory_limit_bytes


def shutting_down() -> Unavailable:
    """Return the error of work that ends because the service does."""
    return Unavailable(
        "kyouko is stopping; what was learned is kept, try again in a moment",
        reason="SHUTTING_DOWN",
        metadata={"service": "kyouko"},
    )
