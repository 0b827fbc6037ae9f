"""The Open Inference Protocol: predictions for clients that know no other contract."""

from collections.abc import Awaitable, Callable
from typing import Any

from hanami.inference import grpc_service_pb2 as pb
from hanami.inference import grpc_service_pb2_grpc

from kyouko.convert.inference import infer_message, inputs_of, metadata_message, model_ids
from kyouko.domain.networks.catalogue import Networks
from kyouko.domain.networks.inference import Inference
from mesh.calls import current_caller
from mesh.errors import NotFound

_NAME = "hanami"


class InferenceServicer(grpc_service_pb2_grpc.GRPCInferenceServiceServicer):
    """Serves networks as models."""

    def __init__(
        self,
        networks: Networks,
        inference: Inference,
        *,
        version: str,
        is_ready: Callable[[], Awaitable[bool]],
    ) -> None:
        self._networks = networks
        self._inference = inference
        self._version = version
        self._is_ready = is_ready

    async def ServerLive(
        self, request: pb.ServerLiveRequest, context: Any
    ) -> pb.ServerLiveResponse:
        """Tell that the server is alive."""
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(
        self, request: pb.ServerReadyRequest, context: Any
    ) -> pb.ServerReadyResponse:
        """Tell whether all that is needed is there."""
        return pb.ServerReadyResponse(ready=await self._is_ready())

    async def ModelReady(
        self, request: pb.ModelReadyRequest, context: Any
    ) -> pb.ModelReadyResponse:
        """Tell whether a network exists; one of somebody else does not."""
        try:
            ids = model_ids(request.name, request.version, field="name")
            await self._networks.get_model(current_caller(), *ids)
        except NotFound:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=True)

    async def ServerMetadata(
        self, request: pb.ServerMetadataRequest, context: Any
    ) -> pb.ServerMetadataResponse:
        """Tell name and version."""
        return pb.ServerMetadataResponse(name=_NAME, version=self._version)

    async def ModelMetadata(
        self, request: pb.ModelMetadataRequest, context: Any
    ) -> pb.ModelMetadataResponse:
        """Describe a network."""
        ids = model_ids(request.name, request.version, field="name")
        return metadata_message(await self._networks.get_model(current_caller(), *ids))

    async def ModelInfer(
        self, request: pb.ModelInferRequest, context: Any
    ) -> pb.ModelInferResponse:
        """Predict rows."""
        ids = model_ids(request.model_name, request.model_version, field="model_name")
        inputs = inputs_of(request)
        return infer_message(request, await self._inference.infer(current_caller(), *ids, inputs))
