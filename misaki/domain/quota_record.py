"""What differs from the default limits, for one project or user. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from mesh.quotas import Limits, QuotaDefaults

# The etag of limits that nobody has changed.
UNCHANGED: Final = "0"


@dataclass(frozen=True)
class QuotaRecord:
    """What differs from the defaults for one project or user.

    Attributes:
        subject: `projects/{project}` or `users/{user}`.
        granted: What admins have set.
        chosen: What project admins have set below that.
        etag: Changes with every change.
        update_time: When that was; None if never.
    """

    subject: str
    granted: Limits = field(default_factory=dict)
    chosen: Limits = field(default_factory=dict)
    etag: str = UNCHANGED
    update_time: datetime | None = None

    def granted_with(self, defaults: Limits) -> Limits:
        """Return all that admins allow."""
        return {**defaults, **self.granted}

    def counting_with(self, defaults: Limits) -> Limits:
        """Return all limits that count."""
        return {
            quota: min(limit, self.chosen.get(quota, limit))
            for quota, limit in self.granted_with(defaults).items()
        }


def differing(record: QuotaRecord, defaults: QuotaDefaults) -> Limits:
    """Return the limits that count and are not the defaults."""
    usual = defaults_of(record.subject, defaults)
    counting = record.counting_with(usual)
    return {quota: limit for quota, limit in counting.items() if limit != usual[quota]}


def defaults_of(subject: str, defaults: QuotaDefaults) -> Limits:
    """Return the defaults of a project or a user."""
    return defaults.user if subject.startswith("users/") else defaults.project
