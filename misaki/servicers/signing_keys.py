"""`hanami.misaki.v1.SigningKeyService`."""

from typing import Any

import grpc
from hanami.misaki.v1 import signing_key_service_pb2 as pb
from hanami.misaki.v1 import signing_key_service_pb2_grpc

from mesh.calls import current_caller
from misaki import convert
from misaki.domain.signing_keys import SigningKeys

Context = grpc.aio.ServicerContext[Any, Any]


class SigningKeyServicer(signing_key_service_pb2_grpc.SigningKeyServiceServicer):
    """Shows and replaces the keys that sign tokens."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys

    async def ListSigningKeys(
        self, request: pb.ListSigningKeysRequest, context: Context
    ) -> pb.ListSigningKeysResponse:
        """Return the keys in use."""
        keys = self._keys.list(current_caller())
        return pb.ListSigningKeysResponse(signing_keys=map(convert.signing_key_message, keys))

    async def RotateSigningKey(
        self, request: pb.RotateSigningKeyRequest, context: Context
    ) -> pb.SigningKey:
        """Make the next key."""
        key = await self._keys.rotate(current_caller(), immediately=request.immediately)
        return convert.signing_key_message(key)
