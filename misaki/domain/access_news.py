"""Tells everybody who has to know what decides about access, as soon as it changes.

What this process changes is told at once. Other instances of misaki change the same
store, so it is looked at again and again too.
"""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Protocol

import structlog

from mesh.access_state import AccessChange, AccessState, PolicyChanges
from mesh.errors import Unavailable
from mesh.quotas import Limits, QuotaDefaults
from mesh.revocations import Revocation
from misaki.domain.policy import PolicyVersion
from misaki.ports import AccessStore, Clock

_log = structlog.get_logger(__name__)
_LOOK_SECONDS = 0.4
# Between two times that expired revocations are deleted.
_FORGET_EACH = timedelta(minutes=1)

KeyIds = Callable[[], Awaitable[Collection[str]]]


class QuotaNews(Protocol):
    """What limits there are."""

    @property
    def defaults(self) -> QuotaDefaults:
        """The limits of all who have none of their own."""

    async def mark(self) -> str:
        """Return a text that differs as soon as any limit does; cheap to ask for."""

    async def differing(self) -> Mapping[str, Limits]:
        """Return the limits that differ from the defaults, by project and user."""


@dataclass(frozen=True)
class _Known:
    """All that counts at a moment."""

    policy: PolicyVersion = field(default_factory=lambda: PolicyVersion(0))
    revocations: Mapping[str, Revocation] = field(default_factory=dict)
    key_ids: frozenset[str] = frozenset()
    quotas: Mapping[str, Limits] = field(default_factory=dict)
    quota_defaults: QuotaDefaults | None = None
    deleted_projects: frozenset[str] = frozenset()

    def since(self, before: "_Known | None") -> AccessChange:
        """Return what a watcher has to hear who knows what was before."""
        known = before or _Known()
        is_new_policy = before is None or self.policy.version != known.policy.version
        return AccessChange(
            is_complete=before is None,
            policy=_changes(self.policy) if is_new_policy else None,
            revocations=[
                revocation
                for subject, revocation in self.revocations.items()
                if known.revocations.get(subject) != revocation
            ],
            key_ids=self.key_ids if before is None or self.key_ids != known.key_ids else None,
            quotas=self._quotas_since(known),
            quota_defaults=self.quota_defaults if before is None else None,
            deleted_projects=self.deleted_projects - known.deleted_projects,
        )

    def _quotas_since(self, known: "_Known") -> Mapping[str, Limits]:
        gone: Mapping[str, Limits] = {
            subject: {} for subject in known.quotas if subject not in self.quotas
        }
        changed = {
            subject: limits
            for subject, limits in self.quotas.items()
            if known.quotas.get(subject) != limits
        }
        return {**gone, **changed}


class AccessNews:
    """What decides about access now, and who wants to hear of changes."""

    def __init__(
        self,
        store: AccessStore,
        own: AccessState,
        quotas: QuotaNews,
        *,
        clock: Clock,
        key_ids: KeyIds,
    ) -> None:
        """Take the parts.

        Args:
            store: The policy and the revocations.
            own: What decides about calls of this process; told first of all.
            quotas: The limits.
            clock: Tells the time.
            key_ids: Returns the ids of the keys that tokens in use may be signed with.
        """
        self._store = store
        self._own = own
        self._quotas = quotas
        own.quotas.set_defaults(quotas.defaults)
        self._clock = clock
        self._key_ids = key_ids
        self._known = _Known()
        self._mark: tuple[str, str] | None = None
        self._changed = asyncio.Event()
        self._ending = False

    async def refresh(self) -> None:
        """Look whether anything has changed, and tell it.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE: the store does not answer.
        """
        key_ids = frozenset(await self._key_ids())
        # The mark first: a change between both is found again, instead of being missed.
        mark = (await self._store.mark(), await self._quotas.mark())
        if mark == self._mark and key_ids == self._known.key_ids:
            return
        revocations = await self._store.revocations(now=self._clock())
        policy = await self._store.policy()
        quotas = await self._quotas.differing()
        deleted = await self._store.deleted_projects()
        self._mark = mark
        furthest = _furthest(revocations)
        self._publish(_Known(policy, furthest, key_ids, quotas, self._quotas.defaults, deleted))

    def announce(self, revocations: Sequence[Revocation]) -> None:
        """Tell of revocations that have just been committed."""
        known = self._known
        furthest = _furthest([*known.revocations.values(), *revocations])
        self._publish(replace(known, revocations=furthest))

    async def run(self) -> None:
        """Look at the store until cancelled."""
        is_there, forgotten_at = True, self._clock()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            is_time = self._clock() - forgotten_at > _FORGET_EACH
            try:
                await _to_the_end(self._look(forget=is_time))
            except Unavailable as error:
                if is_there:
                    _log.warning("access state not looked at", error=error.message)
                is_there = False
                continue
            is_there = True
            forgotten_at = self._clock() if is_time else forgotten_at

    async def _look(self, *, forget: bool) -> None:
        await self.refresh()
        if forget:
            await self._store.forget_revocations(now=self._clock())

    async def end(self) -> None:
        """End all watches, because the service stops."""
        self._ending = True
        self._changed.set()

    async def watch(self) -> AsyncIterator[AccessChange]:
        """Yield all that counts now, then every change."""
        seen: _Known | None = None
        while not self._ending:
            known, changed = self._known, self._changed
            if known is not seen:
                yield known.since(seen)
                seen = known
            await changed.wait()

    def _publish(self, known: _Known) -> None:
        self._own.apply(known.since(self._known))
        self._known = known
        self._changed.set()
        self._changed = asyncio.Event()


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Let work end that is cancelled: a query cut off costs its connection."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _furthest(revocations: Sequence[Revocation]) -> Mapping[str, Revocation]:
    """Return the revocation of each subject that reaches furthest."""
    found: dict[str, Revocation] = {}
    for revocation in sorted(revocations, key=lambda revocation: revocation.issued_before):
        found[revocation.subject] = revocation
    return found


def _changes(policy: PolicyVersion) -> PolicyChanges:
    return PolicyChanges(policy.version, policy.rules)
