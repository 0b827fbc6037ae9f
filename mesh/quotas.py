"""How much a project or a user may have of everything. Pure.

misaki owns the limits; every service is told of them (`mesh.access_feed`) and holds them in a
`QuotaBook`, so that a check is a look into a dictionary. What there is is counted by who makes
it: see `mesh.quota_counts`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mesh.access import Caller, Principal
from mesh.errors import NotFound, ResourceExhausted

Limits = Mapping["Quota", int]
_PROJECTS = "projects/"
_USERS = "users/"
_GUESTS = "/guests"
_PROJECT_NAMED_GUESTS = "projects/guests"
_ME = "me"


class Quota(StrEnum):
    """What is limited; the names are those of the fields of `hanami.type.v1.QuotaLimits`."""

    NETWORKS = "networks"
    SYNAPSES = "synapses"
    DATASET_BYTES = "dataset_bytes"
    SNAPSHOTS = "snapshots"
    STREAMS = "streams"
    ROWS_PER_SECOND = "rows_per_second"
    QUEUED_TASKS = "queued_tasks"

    @property
    def words(self) -> str:
        """What people call it."""
        return _WORDS[self]


_WORDS: Mapping[Quota, str] = {
    Quota.NETWORKS: "networks",
    Quota.SYNAPSES: "synapses",
    Quota.DATASET_BYTES: "bytes of data sets",
    Quota.SNAPSHOTS: "snapshots",
    Quota.STREAMS: "open streams",
    Quota.ROWS_PER_SECOND: "rows per second",
    Quota.QUEUED_TASKS: "waiting tasks",
}
# What counts without any setting, for each project.
PROJECT_DEFAULTS: Limits = {
    Quota.NETWORKS: 1000,
    Quota.SYNAPSES: 10_000_000_000,
    Quota.DATASET_BYTES: 100 * 2**30,
    Quota.SNAPSHOTS: 2000,
    Quota.STREAMS: 128,
    Quota.ROWS_PER_SECOND: 1_000_000,
    Quota.QUEUED_TASKS: 10_000,
}
# The same for each user, in all projects together.
USER_DEFAULTS: Limits = {**PROJECT_DEFAULTS, Quota.STREAMS: 32}
# The same for the guests of each project together; what is not named they cannot have.
GUEST_DEFAULTS: Limits = {Quota.STREAMS: 16, Quota.ROWS_PER_SECOND: 10_000}


class QuotaExceeded(ResourceExhausted):
    """A project or a user has as much as its quota allows.

    Attributes:
        subject: Which project or user, or the guests of which project.
        quota: Of what.
    """

    def __init__(
        self, subject: str, quota: Quota, *, limit: int, used: int, retry_seconds: int = 0
    ) -> None:
        metadata = {
            "resource": subject,
            "quota": quota.value,
            "limit": str(limit),
            "usage": str(used),
        }
        if retry_seconds:
            metadata["retry_seconds"] = str(retry_seconds)
        super().__init__(
            f"{subject} may have {limit} {quota.words}, and has {used}: {_advice(retry_seconds)}",
            reason="QUOTA_EXCEEDED",
            metadata=metadata,
        )
        self.subject = subject
        self.quota = quota


def _advice(retry_seconds: int) -> str:
    if retry_seconds:
        return f"try again in {retry_seconds} s"
    return "there is no room for more; remove something, or let somebody raise the quota"


@dataclass(frozen=True)
class QuotaDefaults:
    """The limits of all who have none of their own."""

    project: Limits
    user: Limits


SHIPPED_DEFAULTS = QuotaDefaults(PROJECT_DEFAULTS, USER_DEFAULTS)


class QuotaBook:
    """The limits that this process knows of; the shipped defaults until it is told."""

    def __init__(self, defaults: QuotaDefaults = SHIPPED_DEFAULTS) -> None:
        self._defaults = defaults
        self._guests = GUEST_DEFAULTS
        self._own: dict[str, Limits] = {}
        self._counting: dict[str, Limits] = {}

    def limits_of(self, subject: str) -> Limits:
        """Return all limits of a project or a user, by its name, or of a project's guests."""
        return self._counting.get(subject) or self._defaults_of(subject)

    def set_defaults(self, defaults: QuotaDefaults) -> None:
        """Let other defaults count."""
        self._defaults = defaults
        self.change(self._own)

    def set_guests(self, limits: Limits) -> None:
        """Let other limits count for the guests of every project."""
        self._guests = limits

    def replace(self, own: Mapping[str, Limits]) -> None:
        """Take these limits instead of all that differ from the defaults."""
        self._own, self._counting = {}, {}
        self.change(own)

    def change(self, own: Mapping[str, Limits]) -> None:
        """Take in what differs from the defaults; nothing where it does not any more."""
        for subject, limits in tuple(own.items()):
            if limits:
                self._own[subject] = limits
                self._counting[subject] = {**self._defaults_of(subject), **limits}
            else:
                self._own.pop(subject, None)
                self._counting.pop(subject, None)

    def _defaults_of(self, subject: str) -> Limits:
        if subject.startswith(_USERS):
            return self._defaults.user
        if subject.endswith(_GUESTS) and subject != _PROJECT_NAMED_GUESTS:
            return self._of_guests(subject.removesuffix(_GUESTS))
        return self._defaults.project

    def _of_guests(self, project: str) -> Limits:
        # Never more than the project: what is closed to its own people is closed to strangers.
        limits = self.limits_of(project)
        return {quota: min(limit, self._guests.get(quota, 0)) for quota, limit in limits.items()}


def guests_of(project_id: str) -> str:
    """Return the name by which the guests of a project are counted together."""
    return f"{_PROJECTS}{project_id}{_GUESTS}"


def subjects_of(project_id: str, principal: str) -> tuple[str, ...]:
    """Return whose quotas something counts in that somebody makes in a project.

    The project's and the user's. Devices, programs and services have no quota of their own:
    what they make is the project's alone.

    Args:
        project_id: Where it is made.
        principal: The name of who makes it.
    """
    project = f"{_PROJECTS}{project_id}"
    return (project, principal) if principal.startswith(_USERS) else (project,)


def reachable_user(caller: Caller, user: str) -> str:
    """Return the name of a user whose quota the caller may see; `users/me` is the caller.

    Raises:
        NotFound: RESOURCE_NOT_FOUND.
        PermissionDenied: ROLE_INSUFFICIENT.
    """
    caller.authorize_method()
    own = caller.principal.name
    if user == f"{_USERS}{_ME}" and own.startswith(_USERS):
        return own
    if user != own and not _is_admin(caller.principal):
        raise NotFound(user)
    return user


def _is_admin(principal: Principal) -> bool:
    return principal.admin and principal.scope is None
