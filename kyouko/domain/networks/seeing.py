"""Finds networks for callers: only those that the caller may know of."""

from kyouko.domain.networks.network import Network, network_name
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
        """Return a network as it is stored.

        Args:
            caller: Who asks.
            project_id: Its project.
            network_id: The network.
            action: What devices may do by the method; None for nothing.

        Raises:
            NotFound: RESOURCE_NOT_FOUND, also for those who may not know of it.
            PermissionDenied: ROLE_INSUFFICIENT, SCOPE_INSUFFICIENT.
        """
        network = await self._existing(project_id, network_id)
        name = network_name(project_id, network_id)
        belonging = None if network is None else network.belonging
        authorize(caller, project_id, name, belonging, network_id=network_id, action=action)
        if network is None:
            raise NotFound(name)
        return network

    async def _existing(self, project_id: str, network_id: str) -> Network | None:
        try:
            return await self._repository.get(project_id, network_id)
        except NotFound:
            return None
