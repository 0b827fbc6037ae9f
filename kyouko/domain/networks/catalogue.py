"""Creates, shows, lists and deletes networks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence, Set
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Final

from kyouko.domain.engine import EngineStructureError, GrowthEvent, NetworkStructure
from kyouko.domain.holdings import Holdings
from kyouko.domain.networks.keeping import TakenSnapshot
from kyouko.domain.networks.learner import Learner
from kyouko.domain.networks.live import LiveNetworks
from kyouko.domain.networks.network import Network, NetworkStatistics
from kyouko.domain.networks.seeing import SeenNetworks
from kyouko.domain.template import (
    NetworkTemplate,
    TemplateProblem,
    resolve,
    template_invalid,
)
from kyouko.ports import Clock, NetworkRepository, NewId
from mesh.access import Action, Caller
from mesh.errors import NotFound, ResourceExhausted, stale_etag
from mesh.quotas import subjects_of
from mesh.visibility import (
    EVERYTHING,
    Visibility,
    authorize_change,
    authorize_creation,
    authorize_listing,
    check_listing,
    owner_of,
)

_CLEARED_AT_ONCE: Final = 50


@dataclass(frozen=True)
class NetworkLimits:
    """Bounds of what users may create.

    Attributes:
        memory_bytes: most memory that one network may be given.
    """

    memory_bytes: int = 2 * 2**30


@dataclass(frozen=True)
class NewNetwork:
    """What a network is to be made from.

    Attributes:
        channels: closes what the template leaves open.
        seed: overrides the template's.
        visibility: who may know of it.
    """

    project_id: str
    network_id: str
    template: NetworkTemplate
    channels: int | None = None
    seed: int | None = None
    visibility: Visibility = Visibility.SHARED


class Networks:
    """The networks of all projects."""

    def __init__(
        self,
        repository: NetworkRepository,
        live: LiveNetworks,
        executor: Executor,
        holdings: Holdings,
        *,
        clock: Clock,
        new_id: NewId,
        limits: NetworkLimits,
        before_deletion: Sequence[Callable[[Network], Awaitable[None]]] = (),
        after_hiding: Sequence[Callable[[Network], Awaitable[None]]] = (),
    ) -> None:
        # `before_deletion` ends what works on a network that is about to be deleted, and
        # `after_hiding` what those do who may not know of one any more.
        self._repository = repository
        self._live = live
        self._executor = executor
        self._holdings = holdings
        self._clock = clock
        self._new_id = new_id
        self._limits = limits
        self._before_deletion = before_deletion
        self._after_hiding = after_hiding
        self._seen = SeenNetworks(repository)
        # An empty network may take as much memory as a full one, and nobody counts it yet.
        self._building = asyncio.Lock()

    async def create(self, caller: Caller, new: NewNetwork) -> Network:
        """Create a network.

        Raises:
            DomainError: TEMPLATE_INVALID, RESOURCE_EXISTS, LIMIT_REACHED, QUOTA_EXCEEDED,
                FIELD_INVALID, or what `Caller.authorize_project` raises.
        """
        authorize_creation(caller, new.project_id)
        owner, owner_since = owner_of(caller.principal)
        structure = await asyncio.to_thread(
            resolve, new.template, channels=new.channels, seed=new.seed
        )
        self._check_memory(structure)
        # Here, too: a refused network need not be built.
        subjects = subjects_of(new.project_id, caller.principal.name)
        self._holdings.check_one_more(subjects)
        network = Network(
            uid=self._new_id(),
            project_id=new.project_id,
            network_id=new.network_id,
            structure=structure,
            create_time=self._clock(),
            creator=caller.principal.name,
            statistics=await self._first_statistics(structure),
            owner=owner,
            owner_since=owner_since,
            visibility=new.visibility,
        )
        with self._holdings.making(network):
            await self._repository.create(network)
        return network

    async def get(self, caller: Caller, project_id: str, network_id: str) -> Network:
        """Return a network as it is now."""
        return self._live.as_now(await self._seen.find(caller, project_id, network_id))

    async def get_model(self, caller: Caller, project_id: str, network_id: str) -> Network:
        """Return a network for somebody, such as a device, who may let it predict."""
        found = await self._seen.find(caller, project_id, network_id, Action.PREDICT)
        return self._live.as_now(found)

    async def list(
        self, caller: Caller, project_id: str, *, after: str, limit: int
    ) -> Sequence[Network]:
        """Return the networks that the caller may know of, by id, after the id `after`."""
        sight = authorize_listing(caller, project_id)
        networks = await self._repository.list(project_id, sight=sight, after=after, limit=limit)
        check_listing(sight, project_id, len(networks))
        return [self._live.as_now(network) for network in networks]

    async def growth_events(
        self, caller: Caller, project_id: str, network_id: str, *, after: int, limit: int
    ) -> Sequence[GrowthEvent]:
        """Return changes of a network's structure whose number is above `after`, oldest first.

        Raises:
            DomainError: What `LiveNetworks.using` raises.
        """
        found = await self._seen.check(caller, project_id, network_id)
        async with self._live.using(project_id, network_id, uid=found.uid) as live:
            # In the owner's turn: between two rows, not in the middle of one.
            events = await live.owner.run(lambda ledger: ledger.learner.events(after))
        return events[:limit]

    async def snapshot(self, caller: Caller, project_id: str, network_id: str) -> TakenSnapshot:
        """Take a snapshot of a network now, unless the newest one holds all of it.

        Raises:
            DomainError: QUOTA_EXCEEDED, or what `LiveNetworks.using` and
                `LiveNetworks.snapshot` raise.
        """
        found = await self._seen.check(caller, project_id, network_id)
        async with self._live.using(project_id, network_id, uid=found.uid) as live:
            with self._holdings.snapshotting(live.network, is_new=live.has_changed):
                return await self._live.snapshot(live)

    async def update(
        self,
        caller: Caller,
        project_id: str,
        network_id: str,
        *,
        visibility: Visibility,
        etag: str = "",
    ) -> Network:
        """Change who may know of a network; who may not any more is cut off.

        Raises:
            DomainError: RESOURCE_NOT_FOUND, ROLE_INSUFFICIENT, ETAG_MISMATCH.
        """
        network = await self._seen.find(caller, project_id, network_id)
        authorize_change(caller, network.belonging)
        if etag not in ("", network.uid):
            raise stale_etag(network.name, etag)
        network = replace(network, visibility=visibility)
        # Half of it would leave streams open: it goes on if the caller leaves.
        await asyncio.shield(self._update(network))
        return self._live.as_now(network)

    async def _update(self, network: Network) -> None:
        if not await self._repository.set_visibility(network.uid, network.visibility):
            raise NotFound(network.name)
        for end_work in self._after_hiding:
            await end_work(network)

    async def delete(
        self, caller: Caller, project_id: str, network_id: str, *, etag: str = ""
    ) -> None:
        """Delete a network; what works on it ends first."""
        network = await self._seen.find(caller, project_id, network_id)
        if etag not in ("", network.uid):
            raise stale_etag(network.name, etag)
        # Half a deletion would be worse than none: it goes on if the caller leaves.
        await asyncio.shield(self._delete(network))

    async def projects(self) -> Set[str]:
        """Return the projects that have networks."""
        return await self._repository.projects()

    async def clear_project(self, project_id: str) -> None:
        """Delete all networks of a project that is gone; what works on them ends first."""
        while networks := await self._repository.list(
            project_id, sight=EVERYTHING, after="", limit=_CLEARED_AT_ONCE
        ):
            for network in networks:
                await asyncio.shield(self._delete(network))

    async def _delete(self, network: Network) -> None:
        async with self._live.deleting(network.uid):
            for end_work in self._before_deletion:
                await end_work(network)
            await self._repository.delete(network.uid)
            self._holdings.forget(network.uid)
        await self._live.drop(network.uid)

    def _check_memory(self, structure: NetworkStructure) -> None:
        memory = structure.options.memory_limit_bytes
        if memory > self._limits.memory_bytes:
            raise _limit_reached(
                f"options.memory_limit_bytes: a network may have {self._limits.memory_bytes} bytes "
                f"here, not {memory}",
                self._limits.memory_bytes,
                memory,
            )

    async def _first_statistics(self, structure: NetworkStructure) -> NetworkStatistics:
        loop = asyncio.get_running_loop()
        try:
            async with self._building:
                learner = await loop.run_in_executor(self._executor, Learner, structure, None)
        except EngineStructureError as error:
            problem = TemplateProblem(error.field, f"{error.problem}; allowed: {error.allowed}")
            raise template_invalid([problem]) from error
        return learner.statistics()


def _limit_reached(message: str, limit: int, actual: int) -> ResourceExhausted:
    return ResourceExhausted(
        message, reason="LIMIT_REACHED", metadata={"limit": str(limit), "actual": str(actual)}
    )
