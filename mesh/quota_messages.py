"""The messages in which limits, and what there is, go over the wire."""

from collections.abc import Iterable, Sequence

from hanami.type.v1 import quota_pb2

from mesh.quota_counts import QuotaUse
from mesh.quotas import Limits, Quota


def limits_message(limits: Limits) -> quota_pb2.QuotaLimits:
    """Return limits as a message; those that are not given are not set."""
    return quota_pb2.QuotaLimits(**{quota.value: limit for quota, limit in limits.items()})


def limits_of(message: quota_pb2.QuotaLimits) -> Limits:
    """Return the limits that a message sets."""
    given = [quota for quota in Quota if message.HasField(quota.value)]
    return {quota: int(getattr(message, quota.value)) for quota in given}


def usage_messages(uses: Iterable[QuotaUse]) -> Sequence[quota_pb2.QuotaUsage]:
    """Return what there is as messages."""
    return [
        quota_pb2.QuotaUsage(quota=use.quota.value, used=use.used, limit=use.limit) for use in uses
    ]
