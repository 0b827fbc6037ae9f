"""What an application says about who it is, and how a connection logs in with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hanami_sdk.errors import InvalidArgument
from hanami_sdk.names import Namespace, user_name

if TYPE_CHECKING:
    from hanami_sdk.connection import Connection
    from hanami_sdk.sessions import PasswordProvider, Tokens


@dataclass(frozen=True)
class Credentials:
    """One way to log in, or none.

    Attributes:
        user: id or name of a user.
        password: the password, or a function that returns it.
        api_key: the secret of a device's key, or a function that returns it.
        client_id: a program: the full name of a client, or the last part of it.
        client_secret: its secret, or a function that returns it.
    """

    user: str | None = None
    password: str | PasswordProvider | None = field(default=None, repr=False)
    api_key: str | PasswordProvider | None = field(default=None, repr=False)
    client_id: str | None = None
    client_secret: str | PasswordProvider | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            InvalidArgument: several ways at once, or half a client (FIELD_INVALID).
        """
        ways = [way for way in (self.user, self.api_key, self.client_id) if way is not None]
        if len(ways) > 1:
            raise InvalidArgument(
                "Say in one way who logs in: a user, an API key or a client.",
                reason="FIELD_INVALID",
            )
        if (self.client_id is None) != (self.client_secret is None):
            raise InvalidArgument(
                "A client logs in with both client_id and client_secret.", reason="FIELD_INVALID"
            )

    @property
    def is_empty(self) -> bool:
        """Whether nobody is named."""
        return self.user is None and self.api_key is None and self.client_id is None

    def login(
        self, connection: Connection, namespace: Namespace
    ) -> Callable[[], Awaitable[Tokens]] | None:
        """Return what logs in over a connection; `None` when there is nothing to do it with."""
        if self.api_key is not None:
            key = _provider(self.api_key)
            return lambda: connection.exchange_api_key(key())
        if self.client_id is not None and self.client_secret is not None:
            client, secret = namespace.client(self.client_id), _provider(self.client_secret)
            return lambda: connection.exchange_client_secret(client, secret())
        if self.user is not None and self.password is not None:
            user_id, password = user_name(self.user).removeprefix("users/"), self.password
            provider = _provider(password)
            return lambda: connection.log_in(user_id, provider())
        return None


def _provider(secret: str | PasswordProvider) -> PasswordProvider:
    return secret if callable(secret) else lambda: secret
