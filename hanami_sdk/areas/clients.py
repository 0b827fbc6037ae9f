"""Programs that act in a project with a role of their own (OAuth 2 clients)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

from google.protobuf import empty_pb2
from hanami.misaki.v1 import client_service_pb2 as pb
from hanami.misaki.v1 import client_service_pb2_grpc
from hanami.type.v1 import access_pb2

from hanami_sdk.areas.pages import walk_pages
from hanami_sdk.areas.projects import MemberRole
from hanami_sdk.connection import Connection
from hanami_sdk.names import Namespace
from hanami_sdk.times import timestamp_of


@dataclass(frozen=True)
class NewClient:
    """A client that was just made.

    Attributes:
        client: what it is.
        secret: what the program proves itself with; it cannot be seen again.
    """

    client: pb.Client
    secret: str = field(repr=False)


class Clients:
    """Creates, reads and deletes clients; for project admins."""

    def __init__(self, connection: Connection, namespace: Namespace) -> None:
        self._connection = connection
        self._namespace = namespace
        self._stub = client_service_pb2_grpc.ClientServiceStub(connection.channel)

    async def create(
        self,
        client_id: str,
        role: MemberRole = "MEMBER",
        *,
        display_name: str = "",
        expire_time: datetime | None = None,
        project: str | None = None,
    ) -> NewClient:
        """Create a client.

        Args:
            client_id: last part of its name.
            role: what it may do in the project.
            display_name: the name people read.
            expire_time: when it ends, with a time zone; never when left out.
            project: whose client it is, when not this client's own project.

        Raises:
            AlreadyExists: the id is taken (RESOURCE_EXISTS).
        """
        request = pb.CreateClientRequest(
            parent=self._namespace.parent(project),
            client_id=client_id,
            client=pb.Client(
                display_name=display_name,
                role=access_pb2.Role.Value(f"ROLE_{role}"),
                expire_time=timestamp_of(expire_time),
            ),
        )
        made = await self._connection.unary(
            self._stub.CreateClient, request, pb.CreateClientResponse
        )
        return NewClient(made.client, made.secret)

    async def get(self, client: str) -> pb.Client:
        """Return one client, without its secret."""
        request = pb.GetClientRequest(name=self._namespace.client(client))
        return await self._connection.unary(self._stub.GetClient, request, pb.Client)

    def list(self, project: str | None = None) -> AsyncIterator[pb.Client]:
        """Iterate over the clients of a project."""
        return walk_pages(
            self._connection,
            self._stub.ListClients,
            pb.ListClientsRequest(parent=self._namespace.parent(project), page_size=1000),
            pb.ListClientsResponse,
            lambda page: page.clients,
        )

    async def delete(self, client: str, *, etag: str = "") -> None:
        """Delete a client; the tokens it was exchanged for are refused at once."""
        request = pb.DeleteClientRequest(name=self._namespace.client(client), etag=etag)
        await self._connection.unary(self._stub.DeleteClient, request, empty_pb2.Empty)
