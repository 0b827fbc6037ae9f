"""Serves `hanami.torii.v1.MeshService`."""

from typing import Any

import grpc
from hanami.torii.v1 import mesh_service_pb2 as pb
from hanami.torii.v1 import mesh_service_pb2_grpc

from torii import convert
from torii.domain.mesh_status import MeshWatch

Context = grpc.aio.ServicerContext[Any, Any]


class MeshServicer(mesh_service_pb2_grpc.MeshServiceServicer):
    """Tells how the mesh is."""

    def __init__(self, watch: MeshWatch, *, version: str) -> None:
        self._watch = watch
        self._version = version

    async def GetMeshStatus(
        self, request: pb.GetMeshStatusRequest, context: Context
    ) -> pb.MeshStatus:
        """Ask every service how it is."""
        return convert.mesh_message(self._version, await self._watch.look())
