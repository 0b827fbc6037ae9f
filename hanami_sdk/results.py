"""Results: what a network answered to a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np
from hanami.kyouko.v1 import learning_service_pb2 as pb
from numpy.typing import NDArray

from hanami_sdk.errors import FrameRefused, error_from_status
from hanami_sdk.scoring import Scores
from hanami_sdk.tensors import decode


class Result:
    """The answer to one frame. Arrays are decoded when they are asked for.

    Attributes:
        sequence: the frame's number within the stream, from 1.
        rows: how many rows the frame had.
        correct_rows: how many of them were predicted right before they were
            learned (frames with labels).
        learned_rows: rows the network has learned in its life.
        kept_rows: of these, the rows that no crash can take.
        is_duplicate: whether the frame, or its source's message, had been learned
            before: it was acknowledged, and nothing else is said of its rows.
    """

    def __init__(self, message: pb.LearnResult, *, rows: int, labels: Sequence[str]) -> None:
        self._message = message
        self._labels = labels
        self.sequence = message.sequence
        self.rows = rows
        self.correct_rows = message.correct_rows
        self.learned_rows = message.learned_rows
        self.kept_rows = message.kept_rows
        self.is_duplicate = message.duplicate

    @cached_property
    def predicted(self) -> NDArray[np.int32]:
        """Index of the predicted label for each row, -1 while none is known (classes)."""
        return cast("NDArray[np.int32]", self._array("predicted", np.int32, (0,)))

    @cached_property
    def predicted_labels(self) -> list[str | None]:
        """The predicted label for each row, `None` while none is known (classes)."""
        return [self._labels[i] if i >= 0 else None for i in self.predicted.tolist()]

    @cached_property
    def outputs(self) -> NDArray[np.float32]:
        """Probabilities of the labels or predicted numbers, float32 [rows, outputs].

        Of size 0 where the network tells classes apart and the stream was opened
        without `return_outputs`.
        """
        return cast("NDArray[np.float32]", self._array("outputs", np.float32, (0, 0)))

    @cached_property
    def loss(self) -> NDArray[np.float32]:
        """The loss of each row before it was learned; empty without labels or targets.

        NaN for a row that has none: one that a pipeline left out, or of which a network that
        teaches itself had said nothing yet.
        """
        return cast("NDArray[np.float32]", self._array("loss", np.float32, (0,)))

    @cached_property
    def scores(self) -> Scores | None:
        """What else is said of the rows; None unless the stream asked for it."""
        return Scores(self._message.scores) if self._message.HasField("scores") else None

    @property
    def known_loss(self) -> NDArray[np.float32]:
        """The losses of the rows that have one."""
        return self.loss[~np.isnan(self.loss)]

    @property
    def size_bytes(self) -> int:
        """The size of the answer on the wire."""
        return self._message.ByteSize()

    def __repr__(self) -> str:
        """Return the figures that fit on a line."""
        return (
            f"Result(sequence={self.sequence}, rows={self.rows}, "
            f"correct_rows={self.correct_rows}, learned_rows={self.learned_rows})"
        )

    def _array(
        self, name: str, dtype: type[np.generic], empty: tuple[int, ...]
    ) -> NDArray[np.generic]:
        if not self._message.HasField(name):  # type: ignore[arg-type]  # a name of this message
            return np.empty(empty, dtype)
        return decode(getattr(self._message, name))


@dataclass
class Score:
    """How well rows were predicted before they were learned, summed up.

    Attributes:
        rows: rows answered.
        scored_rows: of these, the rows that came with a label or target.
        correct_rows: rows whose label was predicted right.
        loss_sum: the sum of the losses of the scored rows.
    """

    rows: int = 0
    scored_rows: int = 0
    correct_rows: int = 0
    loss_sum: float = field(default=0.0, repr=False)

    @property
    def accuracy(self) -> float:
        """The share of scored rows predicted right (classes); NaN without any."""
        return self.correct_rows / self.scored_rows if self.scored_rows else float("nan")

    @property
    def mean_loss(self) -> float:
        """The mean loss of the scored rows; NaN without any."""
        return self.loss_sum / self.scored_rows if self.scored_rows else float("nan")

    def add(self, result: Result) -> None:
        """Count one more result."""
        self.rows += result.rows
        self.scored_rows += result.known_loss.size
        self.correct_rows += result.correct_rows
        self.loss_sum += float(result.known_loss.sum(dtype=np.float64))


def refusal(fault: pb.LearnFault) -> FrameRefused:
    """Return the error that a fault stands for."""
    return FrameRefused(
        error_from_status(fault.status),
        sequence=fault.sequence if fault.HasField("sequence") else None,
        row=fault.row if fault.HasField("row") else None,
    )
