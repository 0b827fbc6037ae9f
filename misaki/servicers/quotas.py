"""`hanami.misaki.v1.QuotaService`."""

from typing import Any

import grpc
from hanami.misaki.v1 import quota_service_pb2 as pb
from hanami.misaki.v1 import quota_service_pb2_grpc

from mesh import names
from mesh.calls import current_caller
from misaki import convert_quotas as convert
from misaki.domain.quotas import Quotas

Context = grpc.aio.ServicerContext[Any, Any]


class QuotaServicer(quota_service_pb2_grpc.QuotaServiceServicer):
    """Manages how much projects and users may have."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas

    async def GetProjectQuota(
        self, request: pb.GetProjectQuotaRequest, context: Context
    ) -> pb.ProjectQuota:
        """Return the limits of a project."""
        (project_id,) = names.parse("projects/*/quota", request.name)
        return convert.project_quota_message(
            await self._quotas.of_project(current_caller(), project_id)
        )

    async def UpdateProjectQuota(
        self, request: pb.UpdateProjectQuotaRequest, context: Context
    ) -> pb.ProjectQuota:
        """Change limits of a project."""
        (project_id,) = names.parse("projects/*/quota", request.quota.name, field="quota.name")
        changes = convert.changes_of(request.quota.limits, request.update_mask)
        quota = await self._quotas.update_project(
            current_caller(), project_id, changes, etag=request.quota.etag
        )
        return convert.project_quota_message(quota)

    async def GetUserQuota(self, request: pb.GetUserQuotaRequest, context: Context) -> pb.UserQuota:
        """Return the limits of a user."""
        (user_id,) = names.parse("users/*/quota", request.name)
        return convert.user_quota_message(await self._quotas.of_user(current_caller(), user_id))

    async def UpdateUserQuota(
        self, request: pb.UpdateUserQuotaRequest, context: Context
    ) -> pb.UserQuota:
        """Change limits of a user."""
        (user_id,) = names.parse("users/*/quota", request.quota.name, field="quota.name")
        changes = convert.changes_of(request.quota.limits, request.update_mask)
        quota = await self._quotas.update_user(
            current_caller(), user_id, changes, etag=request.quota.etag
        )
        return convert.user_quota_message(quota)
