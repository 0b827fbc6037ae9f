"""Counts what projects and users have, and refuses what goes beyond their quotas.

One process makes all of a kind, so the counts are in its memory: filled from its store when it
starts, and changed with the store from then on. Between a check and the count no other
coroutine runs, so makers at the same time cannot go beyond a limit together.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mesh.access import Caller
from mesh.quotas import Quota, QuotaBook, QuotaExceeded, reachable_user


@dataclass(frozen=True)
class QuotaWarning:
    """Somebody has nearly as much as a quota allows."""

    subject: str
    quota: Quota
    limit: int
    used: int

    def __str__(self) -> str:
        return f"{self.subject} has {self.used} of {self.limit} {self.quota.words}"


Warn = Callable[[QuotaWarning], None]


@dataclass(frozen=True)
class QuotaUse:
    """How much there is of something, and how much there may be."""

    quota: Quota
    used: int
    limit: int


def no_warning(warning: QuotaWarning) -> None:
    """Say nothing of it."""


class QuotaCounts:
    """How much every project and user has."""

    def __init__(
        self, book: QuotaBook, *, warn: Warn = no_warning, warning_percent: int = 80
    ) -> None:
        """Take the parts.

        Args:
            book: The limits.
            warn: Told when something is made by which a quota is used up nearly.
            warning_percent: From how much on that is.
        """
        self.book = book
        self._warn = warn
        self._warning_percent = warning_percent
        self._used: dict[Quota, Counter[str]] = {quota: Counter() for quota in Quota}

    def used(self, subject: str, quota: Quota) -> int:
        """Return how much somebody has."""
        return self._used[quota][subject]

    def limit(self, subject: str, quota: Quota) -> int:
        """Return how much somebody may have."""
        return self.book.limits_of(subject)[quota]

    def uses(self, subject: str, quotas: Sequence[Quota]) -> Sequence[QuotaUse]:
        """Return how much somebody has and may have of some things."""
        limits = self.book.limits_of(subject)
        return [QuotaUse(quota, self.used(subject, quota), limits[quota]) for quota in quotas]

    def add(self, subjects: Sequence[str], quota: Quota, amount: int) -> None:
        """Count what is there, more or less of it, whatever the limits."""
        counts = self._used[quota]
        for subject in subjects:
            counts[subject] += amount
            if counts[subject] <= 0:
                del counts[subject]

    def measured(self, subject: str, quota: Quota, used: int) -> None:
        """Note how much there is of what is measured, not made; warn when it is much."""
        counts, limit = self._used[quota], self.limit(subject, quota)
        was_near, is_near = (
            100 * amount >= self._warning_percent * max(1, limit)
            for amount in (counts[subject], used)
        )
        if used:
            counts[subject] = used
        else:
            del counts[subject]
        if is_near and not was_near:
            self._warn(QuotaWarning(subject, quota, limit, used))

    def check(self, subjects: Sequence[str], quota: Quota, amount: int) -> None:
        """Refuse what would go beyond a limit.

        Raises:
            QuotaExceeded: QUOTA_EXCEEDED.
        """
        for subject in subjects:
            limit, used = self.limit(subject, quota), self.used(subject, quota)
            if amount > 0 and used + amount > limit:
                raise QuotaExceeded(subject, quota, limit=limit, used=used)

    def claim(self, subjects: Sequence[str], quota: Quota, amount: int = 1) -> None:
        """Count what is about to be made, if that may be.

        Raises:
            QuotaExceeded: QUOTA_EXCEEDED; nothing is counted then.
        """
        self.check(subjects, quota, amount)
        self.add(subjects, quota, amount)
        for subject in subjects:
            limit, used = self.limit(subject, quota), self.used(subject, quota)
            if amount > 0 and 100 * used >= self._warning_percent * limit:
                self._warn(QuotaWarning(subject, quota, limit, used))

    @contextmanager
    def held(self, subjects: Sequence[str], quota: Quota, amount: int = 1) -> Iterator["Claim"]:
        """Count something as long as the context lasts, or for good if it is kept.

        Raises:
            QuotaExceeded: QUOTA_EXCEEDED.
        """
        claim = Claim(self, subjects, quota)
        claim.resize(amount)
        try:
            yield claim
        finally:
            claim.end()


class Claim:
    """What is counted while something is being made."""

    def __init__(self, counts: QuotaCounts, subjects: Sequence[str], quota: Quota) -> None:
        self._counts = counts
        self._subjects = subjects
        self._quota = quota
        self._amount = 0

    def resize(self, amount: int) -> None:
        """Count another amount instead.

        Raises:
            QuotaExceeded: QUOTA_EXCEEDED; the amount stays as it was.
        """
        self._counts.claim(self._subjects, self._quota, amount - self._amount)
        self._amount = amount

    def keep(self) -> None:
        """Leave it counted: it has been made."""
        self._amount = 0

    def end(self) -> None:
        """Count it no more, unless it is kept."""
        self._counts.add(self._subjects, self._quota, -self._amount)
        self._amount = 0


class Usage:
    """Tells people how much there is."""

    def __init__(self, counts: QuotaCounts, quotas: Sequence[Quota]) -> None:
        """Take the counts, and which of them are kept here."""
        self._counts = counts
        self._quotas = quotas

    def of_project(self, caller: Caller, project_id: str) -> Sequence[QuotaUse]:
        """Return what a project has.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ROLE_INSUFFICIENT.
        """
        caller.authorize_project(project_id)
        return self._counts.uses(f"projects/{project_id}", self._quotas)

    def of_user(self, caller: Caller, user: str) -> Sequence[QuotaUse]:
        """Return what a user has in all projects together.

        Raises:
            NotFound: RESOURCE_NOT_FOUND, also for a user that the caller may not read.
        """
        return self._counts.uses(reachable_user(caller, user), self._quotas)
