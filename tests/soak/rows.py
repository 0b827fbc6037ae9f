"""The rows that a client streams: made from their number, so that anybody can make them again."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hanami_sdk.frames import Frame

Array = npt.NDArray[Any]
CHANNELS = 6


@dataclass(frozen=True)
class Plan:
    """What one client sends.

    Attributes:
        seed: of its rows.
        frames: how many frames.
        is_classes: labels, or numbers.
    """

    seed: int
    frames: int
    is_classes: bool

    @property
    def template(self) -> str:
        """The template of its network."""
        return "templates/flat" if self.is_classes else "templates/flat-numbers"


def frames_of(plan: Plan, first: int = 1) -> Iterator[tuple[int, Frame]]:
    """Yield numbered frames of 1 to 40 rows; one in eight comes without targets."""
    for sequence in range(first, plan.frames + 1):
        yield sequence, _frame(plan, sequence)


def _frame(plan: Plan, sequence: int) -> Frame:
    random = np.random.default_rng((plan.seed, sequence))
    count = int(random.integers(1, 41))
    inputs = random.normal(size=(count, CHANNELS)).astype(np.float32) * 10 ** random.integers(0, 4)
    if sequence % 8 == 0:
        return Frame(inputs)
    total = inputs[:, 0] + np.sin(inputs[:, 1])
    if plan.is_classes:
        labels = [("low", "middle", "high")[int(value > 0) + int(value > 5)] for value in total]
        return Frame(inputs, labels=labels)
    return Frame(inputs, targets=total[:, np.newaxis].astype(np.float32))
