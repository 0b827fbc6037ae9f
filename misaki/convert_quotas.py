"""Between the messages of quotas and the domain."""

from google.protobuf.field_mask_pb2 import FieldMask
from hanami.misaki.v1 import quota_service_pb2 as pb
from hanami.type.v1 import quota_pb2

from mesh.masks import check_mask
from mesh.quota_messages import limits_message, limits_of
from mesh.quotas import Quota
from misaki.domain.quotas import Changes, ShownQuota

_PATHS = {f"limits.{quota.value}": quota for quota in Quota}


def changes_of(limits: quota_pb2.QuotaLimits, mask: FieldMask) -> Changes:
    """Return what an update asks for; None for limits that are named and not set.

    Raises:
        InvalidArgument: FIELD_INVALID: the mask names nothing, or what is no limit.
    """
    wanted = limits_of(limits)
    return {_PATHS[path]: wanted.get(_PATHS[path]) for path in check_mask(mask, list(_PATHS))}


def project_quota_message(quota: ShownQuota) -> pb.ProjectQuota:
    """Return the limits of a project as a message."""
    message = pb.ProjectQuota(
        name=f"{quota.record.subject}/quota",
        limits=limits_message(quota.limits),
        granted=limits_message(quota.granted),
        etag=quota.record.etag,
    )
    if quota.record.update_time is not None:
        message.update_time.FromDatetime(quota.record.update_time)
    return message


def user_quota_message(quota: ShownQuota) -> pb.UserQuota:
    """Return the limits of a user as a message."""
    message = pb.UserQuota(
        name=f"{quota.record.subject}/quota",
        limits=limits_message(quota.limits),
        etag=quota.record.etag,
    )
    if quota.record.update_time is not None:
        message.update_time.FromDatetime(quota.record.update_time)
    return message
