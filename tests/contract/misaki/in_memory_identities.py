"""Accounts of other providers in dictionaries; obey the same suite as SQL."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from mesh.errors import AlreadyExists
from misaki.domain.model import User, user_name
from misaki.domain.provider_logins import too_many_logins
from misaki.ports import StartedLogin


class InMemoryIdentityStore:
    """Keeps accounts and logins under way in dictionaries."""

    def __init__(
        self,
        *,
        get_user: Callable[[str], Awaitable[User]],
        create_user: Callable[[User, str], Awaitable[None]],
    ) -> None:
        self._get_user = get_user
        self._create_user = create_user
        self._users: dict[tuple[str, str], str] = {}
        self._logins: dict[str, StartedLogin] = {}

    async def start_login(self, login: StartedLogin, *, of_origin: int, in_all: int) -> None:
        """Keep a login under way."""
        origins = [other.origin_digest for other in self._logins.values()]
        if origins.count(login.origin_digest) >= of_origin or len(origins) >= in_all:
            raise too_many_logins()
        self._logins[login.state_digest] = login

    async def take_login(self, state_digest: str) -> StartedLogin | None:
        """Return a login under way and forget it."""
        return self._logins.pop(state_digest, None)

    async def forget_logins(self, *, now: datetime) -> None:
        """Delete the logins that took too long."""
        self._logins = {k: login for k, login in self._logins.items() if login.expire_time > now}

    async def find_identity(self, issuer: str, subject: str) -> str | None:
        """Return the id of the user that an account belongs to."""
        return self._users.get((issuer, subject))

    async def link_identity(self, issuer: str, subject: str, user_id: str) -> None:
        """Let an account belong to a user."""
        await self._get_user(user_id)
        if self._users.setdefault((issuer, subject), user_id) != user_id:
            raise AlreadyExists(user_name(user_id))

    async def create_linked_user(self, user: User, issuer: str, subject: str) -> None:
        """Store a new user to whom an account belongs."""
        if (issuer, subject) in self._users:
            raise AlreadyExists(user.name)
        await self._create_user(user, "")
        self._users[issuer, subject] = user.user_id

    def drop_user(self, user_id: str) -> None:
        """Forget the accounts of a user."""
        self._users = {key: user for key, user in self._users.items() if user != user_id}
