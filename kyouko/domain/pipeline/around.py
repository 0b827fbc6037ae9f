"""An engine that takes frames which a pipeline has prepared, in place of the engine's own rows."""

from typing import Any

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.interface import Engine, Scored
from kyouko.domain.engine.structure import Arrival
from kyouko.domain.pipeline.cleaning import Ready
from kyouko.domain.pipeline.pipeline import Pipeline

__all__ = ["PipedEngine"]

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]


class PipedEngine:
    """Learns and predicts accepted frames part by part, so that wide rows stay few."""

    def __init__(self, engine: Engine, pipeline: Pipeline) -> None:
        self._engine = engine
        self._pipeline = pipeline

    def learn(self, ready: Ready, targets: Array, *, arrival: Arrival) -> Scored:
        """Predict, score and learn each row in order; `targets` are those of the kept rows."""
        parts = [
            self._engine.learn(wide, targets[part], arrival=arrival)
            for part, wide in self._pipeline.rows_in_order(ready)
        ]
        outputs = np.zeros((len(ready), self._engine.outputs), np.float32)
        start = 0
        for part in parts:
            # Labels that opened later outputs had no probability before.
            outputs[start : start + len(part.outputs), : part.outputs.shape[1]] = part.outputs
            start += len(part.outputs)
        return Scored(
            outputs=outputs,
            loss=_joined([part.loss for part in parts], np.float32),
            correct=_joined([part.correct for part in parts], np.uint8),
            predicted=_joined([part.predicted for part in parts], np.int32),
        )

    def observe(self, ready: Ready, *, seen: list[Float32] | None = None) -> Float32:
        """Predict each row in order, and let it pass.

        Args:
            ready: an accepted frame.
            seen: gets the engine's rows, if there is such a list.
        """
        outputs = np.zeros((len(ready), self._engine.outputs), np.float32)
        for part, wide in self._pipeline.rows_in_order(ready):
            outputs[part] = self._engine.observe(wide)
            if seen is not None:
                seen.append(wide)
        return outputs

    def predict(self, ready: Ready) -> Float32:
        """Predict each row as if it came next; changes nothing."""
        outputs = np.zeros((len(ready), self._engine.outputs), np.float32)
        for part, wide in self._pipeline.rows_apart(ready):
            outputs[part] = self._engine.predict(wide)
        return outputs


def _joined(parts: list[Array], kind: type) -> Array:
    return np.concatenate([np.empty(0, kind), *parts])
