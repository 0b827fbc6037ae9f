"""How much projects and users may have, and how much they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf import field_mask_pb2
from hanami.kyouko.v1 import usage_service_pb2 as learning_pb
from hanami.kyouko.v1 import usage_service_pb2_grpc as learning_grpc
from hanami.misaki.v1 import quota_service_pb2 as pb
from hanami.misaki.v1 import quota_service_pb2_grpc
from hanami.shiori.v1 import usage_service_pb2 as storing_pb
from hanami.shiori.v1 import usage_service_pb2_grpc as storing_grpc
from hanami.type.v1 import quota_pb2

from hanami_sdk.connection import Connection
from hanami_sdk.errors import InvalidArgument
from hanami_sdk.names import Namespace, user_name

# In the order in which people are told of them.
QUOTA_NAMES = tuple(field.name for field in quota_pb2.QuotaLimits.DESCRIPTOR.fields)


class Quotas:
    """Reads limits and usage; changes limits, as far as the user may."""

    def __init__(self, connection: Connection, namespace: Namespace) -> None:
        self._connection = connection
        self._namespace = namespace
        self._stub = quota_service_pb2_grpc.QuotaServiceStub(connection.channel)
        self._learning = learning_grpc.UsageServiceStub(connection.channel)
        self._storing = storing_grpc.UsageServiceStub(connection.channel)

    async def get(self, project: str | None = None) -> pb.ProjectQuota:
        """Return the limits of a project; of the client's own when none is named."""
        request = pb.GetProjectQuotaRequest(name=f"{self._namespace.parent(project)}/quota")
        return await self._connection.unary(self._stub.GetProjectQuota, request, pb.ProjectQuota)

    async def get_user(self, user: str = "me") -> pb.UserQuota:
        """Return the limits of a user: one's own; for admins anybody's."""
        request = pb.GetUserQuotaRequest(name=f"{user_name(user)}/quota")
        return await self._connection.unary(self._stub.GetUserQuota, request, pb.UserQuota)

    async def update(
        self, limits: Mapping[str, int | None], project: str | None = None, *, etag: str = ""
    ) -> pb.ProjectQuota:
        """Change limits of a project.

        Args:
            limits: the new limits by name, such as `networks`; None gives one back to what
                is granted, or, for admins, to the default.
            project: the project; the client's own when none is named.
            etag: change them only if this is still their etag.

        Raises:
            PermissionDenied: more than is granted (ROLE_INSUFFICIENT).
        """
        name = f"{self._namespace.parent(project)}/quota"
        request = pb.UpdateProjectQuotaRequest(
            quota=pb.ProjectQuota(name=name, limits=_limits(limits), etag=etag),
            update_mask=_mask(limits),
        )
        return await self._connection.unary(self._stub.UpdateProjectQuota, request, pb.ProjectQuota)

    async def update_user(
        self, user: str, limits: Mapping[str, int | None], *, etag: str = ""
    ) -> pb.UserQuota:
        """Change limits of a user; for admins. As `update` otherwise."""
        request = pb.UpdateUserQuotaRequest(
            quota=pb.UserQuota(name=f"{user_name(user)}/quota", limits=_limits(limits), etag=etag),
            update_mask=_mask(limits),
        )
        return await self._connection.unary(self._stub.UpdateUserQuota, request, pb.UserQuota)

    async def usage(self, project: str | None = None) -> Sequence[quota_pb2.QuotaUsage]:
        """Return how much a project has and may have, of everything."""
        name = self._namespace.parent(project)
        learning = await self._connection.unary(
            self._learning.GetProjectUsage,
            learning_pb.GetProjectUsageRequest(project=name),
            learning_pb.GetProjectUsageResponse,
        )
        storing = await self._connection.unary(
            self._storing.GetProjectUsage,
            storing_pb.GetProjectUsageRequest(project=name),
            storing_pb.GetProjectUsageResponse,
        )
        return _in_order([*learning.usages, *storing.usages])

    async def user_usage(self, user: str = "me") -> Sequence[quota_pb2.QuotaUsage]:
        """Return the same of a user, in all projects together."""
        name = user_name(user)
        learning = await self._connection.unary(
            self._learning.GetUserUsage,
            learning_pb.GetUserUsageRequest(user=name),
            learning_pb.GetUserUsageResponse,
        )
        storing = await self._connection.unary(
            self._storing.GetUserUsage,
            storing_pb.GetUserUsageRequest(user=name),
            storing_pb.GetUserUsageResponse,
        )
        return _in_order([*learning.usages, *storing.usages])


def _limits(limits: Mapping[str, int | None]) -> quota_pb2.QuotaLimits:
    unknown = sorted(limits.keys() - set(QUOTA_NAMES))
    if unknown:
        raise InvalidArgument(
            f"{unknown[0]!r} is no quota; there are {', '.join(QUOTA_NAMES)}.",
            reason="FIELD_INVALID",
        )
    return quota_pb2.QuotaLimits(**{name: n for name, n in limits.items() if n is not None})


def _mask(limits: Mapping[str, int | None]) -> field_mask_pb2.FieldMask:
    return field_mask_pb2.FieldMask(paths=[f"limits.{name}" for name in limits])


def _in_order(usages: Sequence[quota_pb2.QuotaUsage]) -> Sequence[quota_pb2.QuotaUsage]:
    places = {name: place for place, name in enumerate(QUOTA_NAMES)}
    return sorted(usages, key=lambda usage: places.get(usage.quota, len(places)))
