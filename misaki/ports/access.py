"""Keeps what decides about access beside the roles."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from mesh.revocations import Revocation
from misaki.domain.policy import PolicyVersion


class AccessStore(Protocol):
    """Keeps what decides about access beside the roles: revocations, policy, what is gone."""

    async def record_revocations(self, revocations: Sequence[Revocation]) -> None:
        """Record revocations that no other change goes with.

        Of each subject one is kept, the one that reaches furthest.
        """

    async def last_revocation(self, subjects: Collection[str]) -> datetime | None:
        """Return the latest `issued_before` of any of these subjects, None without any."""

    async def revocations(self, *, now: datetime) -> Sequence[Revocation]:
        """Return the revocations that have not expired, in the order of subjects."""

    async def forget_revocations(self, *, now: datetime) -> None:
        """Delete the revocations that have expired."""

    async def deleted_projects(self) -> frozenset[str]:
        """Return the ids of all projects that have ever been deleted."""

    async def mark(self) -> str:
        """Return a text that differs as soon as anything of all this does; cheap to ask for."""

    async def policy(self, version: int | None = None) -> PolicyVersion:
        """Return a version of the policy, the newest unless another is asked for.

        Version 0 always is there, and changes nothing.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
        """

    async def list_policies(self, *, before: int | None, limit: int) -> Sequence[PolicyVersion]:
        """Return versions of the policy, newest first, only those below `before` if given."""

    async def add_policy(self, policy: PolicyVersion) -> None:
        """Store the next version of the policy.

        Raises:
            Aborted: ETAG_MISMATCH: its version is not the next one any more.
        """
