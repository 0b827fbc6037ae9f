"""`hanami.misaki.v1.ClientService`."""

from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from hanami.misaki.v1 import client_service_pb2 as pb
from hanami.misaki.v1 import client_service_pb2_grpc

from mesh import names, pages
from mesh.calls import current_caller
from misaki import convert_credentials as convert
from misaki.convert import role_of
from misaki.domain.model import CredentialKind
from misaki.domain.project_credentials import ProjectCredentials

Context = grpc.aio.ServicerContext[Any, Any]
_PATTERN = "projects/*/clients/*"


class ClientServicer(client_service_pb2_grpc.ClientServiceServicer):
    """Manages clients."""

    def __init__(self, credentials: ProjectCredentials) -> None:
        self._credentials = credentials

    async def CreateClient(
        self, request: pb.CreateClientRequest, context: Context
    ) -> pb.CreateClientResponse:
        """Make a client."""
        (project_id,) = names.parse("projects/*", request.parent, field="parent")
        client, secret = await self._credentials.create_client(
            current_caller(),
            project_id=project_id,
            client_id=request.client_id,
            display_name=request.client.display_name,
            role=role_of(request.client.role),
            expire_time=convert.expire_time_of(request.client),
        )
        return pb.CreateClientResponse(client=convert.client_message(client), secret=secret)

    async def GetClient(self, request: pb.GetClientRequest, context: Context) -> pb.Client:
        """Return a client."""
        project_id, client_id = names.parse(_PATTERN, request.name)
        client = await self._credentials.get(
            current_caller(), CredentialKind.CLIENT, project_id, client_id
        )
        return convert.client_message(client)

    async def ListClients(
        self, request: pb.ListClientsRequest, context: Context
    ) -> pb.ListClientsResponse:
        """Return a page of clients."""
        (project_id,) = names.parse("projects/*", request.parent, field="parent")
        listing = f"{request.parent}/clients"
        wanted = pages.page_request(request.page_size, request.page_token, listing=listing)
        clients = await self._credentials.list(
            current_caller(),
            CredentialKind.CLIENT,
            project_id,
            after=wanted.after,
            limit=wanted.limit + 1,
        )
        page = pages.page_of(wanted, clients, lambda client: client.credential_id)
        return convert.clients_message(page)

    async def DeleteClient(self, request: pb.DeleteClientRequest, context: Context) -> Empty:
        """Delete a client."""
        project_id, client_id = names.parse(_PATTERN, request.name)
        await self._credentials.delete(
            current_caller(), CredentialKind.CLIENT, project_id, client_id, etag=request.etag
        )
        return Empty()
