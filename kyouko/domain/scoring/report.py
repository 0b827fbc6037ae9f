"""What a scorer says of the rows of one frame."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kyouko.domain.scoring.options import Detector

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ClassFigures:
    """How well labels were predicted.

    Attributes:
        accuracy: share of the rows, 0 to 1.
        log_loss: mean cross-entropy in nats; None without probabilities.
        macro_f1: over the labels that came or were predicted.
        kappa: Cohen's; None where only one label came and was predicted.
    """

    accuracy: float
    log_loss: float | None
    macro_f1: float
    kappa: float | None


@dataclass(frozen=True)
class NumberFigures:
    """How well numbers were predicted, each figure the mean over the outputs.

    Attributes:
        r2: over the outputs whose targets vary; None where none does.
    """

    mae: float
    rmse: float
    r2: float | None


@dataclass(frozen=True)
class ClassComparison:
    """A network and its baselines on the same rows."""

    rows: int
    network: ClassFigures
    majority_class: ClassFigures
    last_class: ClassFigures


@dataclass(frozen=True)
class NumberComparison:
    """A network and its baselines on the same rows."""

    rows: int
    network: NumberFigures
    last_value: NumberFigures
    running_mean: NumberFigures


@dataclass(frozen=True)
class ClassMetrics:
    """Over all rows, and over the last ones."""

    total: ClassComparison
    window: ClassComparison


@dataclass(frozen=True)
class NumberMetrics:
    """Over all rows, and over the last ones."""

    total: NumberComparison
    window: NumberComparison


@dataclass(frozen=True)
class Alarm:
    """A change that was found.

    Attributes:
        row: of the frame, from 0.
        channel: the input channel that changed; None where the error rose.
    """

    row: int
    detector: Detector
    channel: int | None = None

    def moved(self, rows: int) -> "Alarm":
        """Return the same of a row so many rows later."""
        return replace(self, row=self.row + rows)


@dataclass(frozen=True)
class Cause:
    """What made a row unusual.

    Attributes:
        row: of the frame, from 0.
        outputs: the most wrong ones, the worst first.
        errors: of each; numbers: in units of the output's median absolute error, classes: by how
            much the probability was off.
    """

    row: int
    outputs: tuple[int, ...]
    errors: tuple[float, ...]

    def moved(self, rows: int) -> "Cause":
        """Return the same of a row so many rows later."""
        return replace(self, row=self.row + rows)


@dataclass(frozen=True)
class Anomalies:
    """How unusual the errors are.

    Attributes:
        scores: float32, shape (rows,), 0 to 1; NaN for a row that was not scored.
        causes: of the rows whose score reaches the threshold.
    """

    scores: Float32
    causes: tuple[Cause, ...]


@dataclass(frozen=True)
class Coverage:
    """How often the truth was as expected; None before the first row that was scored."""

    expected: float
    total: float | None
    window: float | None


@dataclass(frozen=True)
class Intervals:
    """Bounds of numbers, float32, shape (rows, outputs)."""

    lower: Float32
    upper: Float32
    coverage: Coverage


@dataclass(frozen=True)
class LabelSets:
    """Sets of labels.

    Attributes:
        sizes: int32, shape (rows,).
        labels: int32, shape (sum of sizes,): rising within a row.
    """

    sizes: Int32
    labels: Int32
    coverage: Coverage


@dataclass(frozen=True)
class ScoreReport:
    """Scores of a stream, after the rows of one frame.

    Attributes:
        scored_rows: rows of the stream, or of its session, with targets so far.
        since_learned_rows: rows the network had learned when scoring began.
        incident: of the mistake of ours that ended scoring; empty while it goes on.
    """

    scored_rows: int
    since_learned_rows: int
    metrics: ClassMetrics | NumberMetrics | None = None
    alarms: tuple[Alarm, ...] = ()
    anomalies: Anomalies | None = None
    expected: Intervals | LabelSets | None = None
    incident: str = ""
