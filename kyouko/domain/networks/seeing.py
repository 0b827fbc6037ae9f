"""Finds networks for callers: only those that the caller may know of."""

from kyouko.domain.networks.network import Network, NetworkEntry, network_name
from kyouko.ports import NetworkRepository
from mesh.access import Action, Caller
from mesh.errors import NotFound
from mesh.visibility import authorize


class SeenNetworks:
    """The networks of all projects, each time checking that the caller may."""

    def __init__(self, repository: NetworkRepository) -> None:
        self._repository = repository

    async def find(
        self, caller: Caller, project_id: str, network_id: str, action: Action | None = None
    ) -> Network:
        """Return a network as it is stored; nothing of it is read before it is clear who may.

        Args:
            caller: Who asks.
            project_id: Its project.
            network_id: The network.
            action: What devices may do by the method; None for nothing.

        Raises:
            NotFound: RESOURCE_NOT_FOUND, also for those who may not know of it.
            PermissionDenied: ROLE_INSUFFICIENT, SCOPE_INSUFFICIENT.
        """
        await self.check(caller, project_id, network_id, action)
        network = await self._repository.get(project_id, network_id)
        # Meanwhile it may be another one, or its owner may have hidden it.
        belonging, name = network.belonging, network.name
        authorize(caller, project_id, name, belonging, network_id=network_id, action=action)
        return network

    async def check(
        self, caller: Caller, project_id: str, network_id: str, action: Action | None = None
    ) -> NetworkEntry:
        """Return what tells a network from others, like `find`, without reading all of it."""
        entry = await self._repository.entry(project_id, network_id)
        name = network_name(project_id, network_id)
        belonging = None if entry is None else entry.belonging
        authorize(caller, project_id, name, belonging, network_id=network_id, action=action)
        if entry is None:
            raise NotFound(name)
        return entry
