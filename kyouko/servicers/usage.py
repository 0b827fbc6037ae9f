"""`hanami.kyouko.v1.UsageService`."""

from typing import Any

import grpc
from hanami.kyouko.v1 import usage_service_pb2 as pb
from hanami.kyouko.v1 import usage_service_pb2_grpc

from mesh import names
from mesh.calls import current_caller
from mesh.quota_counts import Usage
from mesh.quota_messages import usage_messages

Context = grpc.aio.ServicerContext[Any, Any]


class UsageServicer(usage_service_pb2_grpc.UsageServiceServicer):
    """Tells how many networks, streams and the like there are."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage

    async def GetProjectUsage(
        self, request: pb.GetProjectUsageRequest, context: Context
    ) -> pb.GetProjectUsageResponse:
        """Return what a project has."""
        project_id = names.project_id(request.project, field="project")
        uses = self._usage.of_project(current_caller(), project_id)
        return pb.GetProjectUsageResponse(usages=usage_messages(uses))

    async def GetUserUsage(
        self, request: pb.GetUserUsageRequest, context: Context
    ) -> pb.GetUserUsageResponse:
        """Return what a user has."""
        uses = self._usage.of_user(current_caller(), request.user)
        return pb.GetUserUsageResponse(usages=usage_messages(uses))
