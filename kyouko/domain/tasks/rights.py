"""Whether whoever made a task may still do what it does: asked at its start and at changes."""

from collections.abc import Callable, Container

from kyouko.domain.networks.network import network_name
from kyouko.domain.networks.seeing import SeenNetworks
from kyouko.domain.tasks.task import Task
from kyouko.ports import Standings
from mesh.access import AccessRule, Caller, Principal
from mesh.errors import NotFound
from mesh.visibility import Belonging


class TaskRights:
    """What makers of tasks may do now, whatever they could when they made them."""

    def __init__(
        self,
        standings: Standings,
        seen: SeenNetworks,
        *,
        rule: Callable[[], AccessRule],
        deleted_projects: Callable[[], Container[str]] = frozenset,
    ) -> None:
        """Take the parts.

        Args:
            standings: What somebody is now.
            seen: The networks.
            rule: Returns the rule of now for making tasks.
            deleted_projects: Returns the projects that are gone.
        """
        self._standings = standings
        self._seen = seen
        self._rule = rule
        self._deleted_projects = deleted_projects

    async def check(self, task: Task) -> Principal:
        """Return who made a task, as they are now, if they may still work with its network.

        Raises:
            NotFound: They are gone, or may not know of the network any more.
            PermissionDenied: ROLE_INSUFFICIENT.
            Unavailable: DEPENDENCY_UNAVAILABLE: nobody can tell.
        """
        network = network_name(task.project_id, task.network_id)
        try:
            principal = await self._standings.of(task.creator)
        except NotFound as error:
            raise NotFound(network) from error
        # A later one of the same name has made nothing of this.
        made = Belonging(task.project_id, task.create_time, task.creator, task.creator_since)
        if not made.is_of(principal.name, principal.since):
            raise NotFound(network)
        caller = Caller(principal, self._rule(), self._deleted_projects())
        found = await self._seen.check(caller, task.project_id, task.network_id)
        if found.uid != task.network_uid:
            raise NotFound(network)
        return principal
