"""`hanami.misaki.v1.ApiKeyService`."""

from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from hanami.misaki.v1 import api_key_service_pb2 as pb
from hanami.misaki.v1 import api_key_service_pb2_grpc

from mesh import names, pages
from mesh.calls import current_caller
from misaki import convert_credentials as convert
from misaki.domain.model import CredentialKind
from misaki.domain.project_credentials import ProjectCredentials

Context = grpc.aio.ServicerContext[Any, Any]
_PATTERN = "projects/*/apiKeys/*"


class ApiKeyServicer(api_key_service_pb2_grpc.ApiKeyServiceServicer):
    """Manages API keys."""

    def __init__(self, credentials: ProjectCredentials) -> None:
        self._credentials = credentials

    async def CreateApiKey(
        self, request: pb.CreateApiKeyRequest, context: Context
    ) -> pb.CreateApiKeyResponse:
        """Make an API key."""
        (project_id,) = names.parse("projects/*", request.parent, field="parent")
        key, secret = await self._credentials.create_api_key(
            current_caller(),
            project_id=project_id,
            key_id=request.api_key_id,
            display_name=request.api_key.display_name,
            network_id=convert.network_of(request.api_key, project_id),
            actions=convert.actions_of(request.api_key),
            expire_time=convert.expire_time_of(request.api_key),
        )
        return pb.CreateApiKeyResponse(api_key=convert.api_key_message(key), secret=secret)

    async def GetApiKey(self, request: pb.GetApiKeyRequest, context: Context) -> pb.ApiKey:
        """Return an API key."""
        project_id, key_id = names.parse(_PATTERN, request.name)
        key = await self._credentials.get(
            current_caller(), CredentialKind.API_KEY, project_id, key_id
        )
        return convert.api_key_message(key)

    async def ListApiKeys(
        self, request: pb.ListApiKeysRequest, context: Context
    ) -> pb.ListApiKeysResponse:
        """Return a page of API keys."""
        (project_id,) = names.parse("projects/*", request.parent, field="parent")
        listing = f"{request.parent}/apiKeys"
        wanted = pages.page_request(request.page_size, request.page_token, listing=listing)
        keys = await self._credentials.list(
            current_caller(),
            CredentialKind.API_KEY,
            project_id,
            after=wanted.after,
            limit=wanted.limit + 1,
        )
        page = pages.page_of(wanted, keys, lambda key: key.credential_id)
        return convert.api_keys_message(page)

    async def DeleteApiKey(self, request: pb.DeleteApiKeyRequest, context: Context) -> Empty:
        """Delete an API key."""
        project_id, key_id = names.parse(_PATTERN, request.name)
        await self._credentials.delete(
            current_caller(), CredentialKind.API_KEY, project_id, key_id, etag=request.etag
        )
        return Empty()
