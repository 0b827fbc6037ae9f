"""What users see of a pipeline: what it set aside, and why."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.pipeline.guards import CAUSES, Counts

__all__ = ["MOST_SHOWN", "PipelineStatistics", "Quarantined", "quarantined"]

# Of causes and channels, the ones with the most values; and of stuck channels, the first.
MOST_SHOWN: Final = 64


@dataclass(frozen=True)
class Quarantined:
    """Values of one channel that were set aside for one cause, see `guards.CAUSES`."""

    cause: str
    channel: int
    values: int


@dataclass(frozen=True)
class PipelineStatistics:
    """What a pipeline has seen; see `hanami.kyouko.v1.PipelineStatistics`."""

    channels: int = 0
    pending_rows: int = 0
    late_rows: int = 0
    skipped_rows: int = 0
    stuck_channels: tuple[int, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()


def quarantined(counts: Counts) -> tuple[Quarantined, ...]:
    """Return the largest counts, the largest first."""
    values: npt.NDArray[np.int64] = counts.values.ravel()
    order = np.argsort(-values, kind="stable")[:MOST_SHOWN]
    channels = counts.values.shape[1]
    return tuple(
        Quarantined(CAUSES[place // channels], place % channels, int(values[place]))
        for place in order.tolist()
        if values[place] > 0
    )
