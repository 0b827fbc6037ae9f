"""Keys that sign the mesh's tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator

from hanami.misaki.v1 import signing_key_service_pb2 as pb
from hanami.misaki.v1 import signing_key_service_pb2_grpc

from hanami_sdk.connection import Connection


class SigningKeys:
    """Lists and rotates the keys; for admins."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = signing_key_service_pb2_grpc.SigningKeyServiceStub(connection.channel)

    async def list(self) -> AsyncIterator[pb.SigningKey]:
        """Iterate over the keys: at most a next one, the current one, previous ones."""
        answer = await self._connection.unary(
            self._stub.ListSigningKeys, pb.ListSigningKeysRequest(), pb.ListSigningKeysResponse
        )
        for key in answer.signing_keys:
            yield key

    async def rotate(self, *, immediately: bool = False) -> pb.SigningKey:
        """Make the next key, or return the one that waits; nobody has to log in again.

        Args:
            immediately: the keys so far are in wrong hands: the new one signs from now
                on, and every token is void.
        """
        request = pb.RotateSigningKeyRequest(immediately=immediately)
        return await self._connection.unary(self._stub.RotateSigningKey, request, pb.SigningKey)
