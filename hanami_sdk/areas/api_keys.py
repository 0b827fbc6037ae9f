"""Keys of devices: what a device may do, and the secret it proves itself with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from google.protobuf import empty_pb2
from hanami.misaki.v1 import api_key_service_pb2 as pb
from hanami.misaki.v1 import api_key_service_pb2_grpc

from hanami_sdk.areas.pages import walk_pages
from hanami_sdk.connection import Connection
from hanami_sdk.names import Namespace
from hanami_sdk.times import timestamp_of

KeyAction = Literal["LEARN", "PREDICT"]


@dataclass(frozen=True)
class NewApiKey:
    """A key that was just made.

    Attributes:
        api_key: what it allows.
        secret: what the device proves itself with; it cannot be seen again.
    """

    api_key: pb.ApiKey
    secret: str = field(repr=False)


class ApiKeys:
    """Creates, reads and deletes keys of devices; for project admins."""

    def __init__(self, connection: Connection, namespace: Namespace) -> None:
        self._connection = connection
        self._namespace = namespace
        self._stub = api_key_service_pb2_grpc.ApiKeyServiceStub(connection.channel)

    async def create(
        self,
        key_id: str,
        *,
        actions: Iterable[KeyAction] = ("LEARN", "PREDICT"),
        network: str = "",
        display_name: str = "",
        expire_time: datetime | None = None,
        project: str | None = None,
    ) -> NewApiKey:
        """Create a key.

        Args:
            key_id: last part of its name.
            actions: what it is good for.
            network: the only network it is good for; all of the project when empty.
            display_name: the name people read.
            expire_time: when it ends, with a time zone; never when left out.
            project: whose key it is, when not the client's own project.

        Raises:
            AlreadyExists: the id is taken (RESOURCE_EXISTS).
        """
        parent = self._namespace.parent(project)
        key = pb.ApiKey(
            display_name=display_name,
            network=Namespace(parent).network(network) if network else "",
            actions=[pb.KeyAction.Value(f"KEY_ACTION_{action}") for action in actions],
            expire_time=timestamp_of(expire_time),
        )
        request = pb.CreateApiKeyRequest(parent=parent, api_key_id=key_id, api_key=key)
        made = await self._connection.unary(
            self._stub.CreateApiKey, request, pb.CreateApiKeyResponse
        )
        return NewApiKey(made.api_key, made.secret)

    async def get(self, key: str) -> pb.ApiKey:
        """Return one key, without its secret."""
        request = pb.GetApiKeyRequest(name=self._namespace.api_key(key))
        return await self._connection.unary(self._stub.GetApiKey, request, pb.ApiKey)

    def list(self, project: str | None = None) -> AsyncIterator[pb.ApiKey]:
        """Iterate over the keys of a project."""
        return walk_pages(
            self._connection,
            self._stub.ListApiKeys,
            pb.ListApiKeysRequest(parent=self._namespace.parent(project), page_size=1000),
            pb.ListApiKeysResponse,
            lambda page: page.api_keys,
        )

    async def delete(self, key: str, *, etag: str = "") -> None:
        """Delete a key; the tokens it was exchanged for are refused at once."""
        request = pb.DeleteApiKeyRequest(name=self._namespace.api_key(key), etag=etag)
        await self._connection.unary(self._stub.DeleteApiKey, request, empty_pb2.Empty)
