"""What a stream may ask about its rows beside the predictions: scores, alarms, bounds.

Everything here works on arrays, knows neither network nor wire, and gives the same however the
rows are divided into frames.
"""

from kyouko.domain.scoring.options import (
    AnomalyOptions,
    Detector,
    DriftOptions,
    ScoringOptions,
)
from kyouko.domain.scoring.report import ScoreReport
from kyouko.domain.scoring.scorer import StreamScorer, truth_of

__all__ = [
    "AnomalyOptions",
    "Detector",
    "DriftOptions",
    "ScoreReport",
    "ScoringOptions",
    "StreamScorer",
    "truth_of",
]
