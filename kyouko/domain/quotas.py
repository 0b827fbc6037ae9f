"""All that is counted here for projects and users, in one place."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kyouko.domain.holdings import Holdings
from kyouko.domain.rates import Pace, RowRates
from mesh.quota_counts import QuotaCounts
from mesh.quotas import subjects_of


@dataclass(frozen=True)
class Quotas:
    """Counts of what there is and of what comes.

    Attributes:
        counts: of everything, with the limits.
        holdings: networks, synapses and snapshots.
        rates: rows in a second.
    """

    counts: QuotaCounts
    holdings: Holdings
    rates: RowRates

    @classmethod
    def over(cls, counts: QuotaCounts) -> "Quotas":
        """Return quotas that count nothing yet."""
        return cls(counts, Holdings(counts), RowRates(counts))

    @contextmanager
    def pacing(self, project_id: str, principal: str) -> Iterator[Pace]:
        """Return how fast somebody's rows may come, as long as the context lasts.

        Raises:
            QuotaExceeded: QUOTA_EXCEEDED: no rows at all may come.
        """
        with self.rates.pacing(subjects_of(project_id, principal)) as pace:
            yield pace
