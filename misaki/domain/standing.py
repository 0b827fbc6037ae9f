"""What somebody may do now, for services that work on for them when their token has ended."""

from collections.abc import Mapping
from dataclasses import dataclass

from mesh.access import Caller, Role
from mesh.errors import NotFound
from mesh.visibility import microseconds
from misaki.domain.model import CredentialKind, ProjectCredential, User
from misaki.ports import Clock, CredentialStore, Directory

_USERS = "users"


@dataclass(frozen=True)
class Standing:
    """What a token made now would say of somebody.

    Attributes:
        since: When they were made, in microseconds since 1970.
        admin: Whether they run the installation.
        roles: Their role in each project.
    """

    since: int
    admin: bool
    roles: Mapping[str, Role]


class Standings:
    """Looks up users and clients."""

    def __init__(self, directory: Directory, credentials: CredentialStore, *, clock: Clock) -> None:
        self._directory = directory
        self._credentials = credentials
        self._clock = clock

    async def of(self, caller: Caller, name: str) -> Standing:
        """Return what a user or a client may do.

        Args:
            caller: Who asks.
            name: `users/{user}` or `projects/{project}/clients/{client}`.

        Raises:
            PermissionDenied: ROLE_INSUFFICIENT.
            NotFound: RESOURCE_NOT_FOUND: there is none, or no token for them.
        """
        caller.authorize_method()
        collection, _, rest = name.partition("/")
        if collection == _USERS:
            return await self._of_user(await self._directory.get_user(rest))
        project_id, _, client_id = rest.partition("/clients/")
        kind = CredentialKind.CLIENT
        return self._of_client(await self._credentials.get_credential(kind, project_id, client_id))

    async def _of_user(self, user: User) -> Standing:
        if user.disabled:
            raise NotFound(user.name)
        roles = await self._directory.roles_of(user.user_id)
        return Standing(microseconds(user.create_time), user.admin, roles)

    def _of_client(self, client: ProjectCredential) -> Standing:
        if client.role is None or client.has_expired(self._clock()):
            raise NotFound(client.name)
        roles = {client.project_id: client.role}
        return Standing(microseconds(client.create_time), admin=False, roles=roles)
