"""The limits of projects and users: who may see them, and who may change them how far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from mesh.access import Caller, Role
from mesh.errors import InvalidArgument, PermissionDenied, stale_etag
from mesh.quotas import Limits, Quota, QuotaDefaults
from misaki.domain.access_news import AccessNews
from misaki.domain.model import project_name, user_name
from misaki.domain.quota_record import QuotaRecord, defaults_of
from misaki.domain.users import reachable_user
from misaki.ports import Clock, Directory, NewId, QuotaStore

# Whole numbers up to here survive JSON.
MOST: Final = 2**53 - 1
# Somebody else may change other limits of the same project at the same time.
_ATTEMPTS: Final = 8

# The limits to set; None gives a limit back.
Changes = Mapping[Quota, int | None]


@dataclass(frozen=True)
class ShownQuota:
    """The limits of a project or a user as others see them."""

    record: QuotaRecord
    limits: Limits
    granted: Limits


class Quotas:
    """The limits of all projects and users."""

    def __init__(
        self,
        store: QuotaStore,
        directory: Directory,
        news: AccessNews,
        *,
        defaults: QuotaDefaults,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._store = store
        self._directory = directory
        self._news = news
        self._defaults = defaults
        self._clock = clock
        self._new_id = new_id

    async def of_project(self, caller: Caller, project_id: str) -> ShownQuota:
        """Return the limits of a project.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """
        caller.authorize_project(project_id)
        await self._directory.get_project(project_id)
        return self._shown(await self._store.quota(project_name(project_id)))

    async def of_user(self, caller: Caller, user_id: str) -> ShownQuota:
        """Return the limits of a user: the caller for `me`; others for admins only.

        Raises:
            NotFound: RESOURCE_NOT_FOUND, also for a user that the caller may not read.
        """
        caller.authorize_method()
        user_id = reachable_user(caller, user_id)
        await self._directory.get_user(user_id)
        return self._shown(await self._store.quota(user_name(user_id)))

    async def update_project(
        self, caller: Caller, project_id: str, changes: Changes, *, etag: str
    ) -> ShownQuota:
        """Change limits of a project: admins what is granted, others what is below that.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ROLE_INSUFFICIENT: more than is granted.
            InvalidArgument: FIELD_INVALID: a limit is negative or too large.
            Aborted: ETAG_MISMATCH.
        """
        caller.authorize_project(project_id)
        _check(changes)
        await self._directory.get_project(project_id)
        may_grant = caller.principal.admin

        def changed(record: QuotaRecord) -> QuotaRecord:
            return _granting(record, changes) if may_grant else self._choosing(record, changes)

        return await self._update(project_name(project_id), changed, etag)

    async def update_user(
        self, caller: Caller, user_id: str, changes: Changes, *, etag: str
    ) -> ShownQuota:
        """Change limits of a user.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ROLE_INSUFFICIENT.
            InvalidArgument: FIELD_INVALID: a limit is negative or too large.
            Aborted: ETAG_MISMATCH.
        """
        caller.authorize_method()
        _check(changes)
        await self._directory.get_user(user_id)
        return await self._update(
            user_name(user_id), lambda record: _granting(record, changes), etag
        )

    async def _update(
        self, subject: str, changed: Callable[[QuotaRecord], QuotaRecord], etag: str
    ) -> ShownQuota:
        for _ in range(_ATTEMPTS):
            before = await self._store.quota(subject)
            if etag not in ("", before.etag):
                break
            after = replace(changed(before), etag=self._new_id(), update_time=self._clock())
            if await self._store.replace_quota(after, before=before.etag):
                await self._news.refresh()
                return self._shown(after)
        raise stale_etag(f"{subject}/quota", etag)

    def _choosing(self, record: QuotaRecord, changes: Changes) -> QuotaRecord:
        granted = record.granted_with(defaults_of(record.subject, self._defaults))
        for quota, limit in changes.items():
            if limit is not None and limit > granted[quota]:
                raise _more_than_granted(quota, limit, granted[quota])
        return replace(record, chosen=_merged(record.chosen, changes))

    def _shown(self, record: QuotaRecord) -> ShownQuota:
        defaults = defaults_of(record.subject, self._defaults)
        return ShownQuota(record, record.counting_with(defaults), record.granted_with(defaults))


def _granting(record: QuotaRecord, changes: Changes) -> QuotaRecord:
    # What an admin sets counts at once, whatever a project admin has chosen before.
    chosen = {quota: limit for quota, limit in record.chosen.items() if quota not in changes}
    return replace(record, granted=_merged(record.granted, changes), chosen=chosen)


def _merged(limits: Limits, changes: Changes) -> Limits:
    merged = {**limits, **changes}
    return {quota: limit for quota, limit in merged.items() if limit is not None}


def _check(changes: Changes) -> None:
    for quota, limit in changes.items():
        if limit is not None and not 0 <= limit <= MOST:
            raise InvalidArgument.for_field(
                f"quota.limits.{quota}", f"{limit} is not between 0 and {MOST}"
            )


def _more_than_granted(quota: Quota, limit: int, granted: int) -> PermissionDenied:
    return PermissionDenied(
        f"quota.limits.{quota}: {granted} is granted to the project, {limit} is more; "
        f"that needs the role {Role.ADMIN}",
        reason="ROLE_INSUFFICIENT",
        metadata={"quota": quota.value, "limit": str(granted), "roles": Role.ADMIN.value},
    )
