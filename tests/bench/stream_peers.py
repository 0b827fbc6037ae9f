"""River's models on the streams: with their defaults, and with the scalers that they need."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.bench.stream_data import Stream

__all__ = ["Found", "peers_for", "run_peer"]


@dataclass(frozen=True)
class Found:
    """Score (accuracy in percent, or mean absolute error), and rows in a CPU second."""

    score: float
    rows_per_second: float


def peers_for(stream: Stream) -> dict[str, Callable[[], Any]]:
    """Return what makes each peer, by its name.

    Raises:
        ModuleNotFoundError: without the `bench` extra.
    """
    return _for_classes(stream) if stream.is_classes else _for_numbers()


def _for_classes(stream: Stream) -> dict[str, Callable[[], Any]]:
    from river import forest, linear_model, neighbors, tree
    from river.preprocessing import StandardScaler

    # Exact search is both faster than the approximate default here, and better.
    def neighbours() -> Any:
        engine = neighbors.LazySearch(window_size=1000)
        return StandardScaler() | neighbors.KNNClassifier(n_neighbors=5, engine=engine)

    two = int(stream.targets.max()) == 1
    linear = linear_model.LogisticRegression if two else linear_model.SoftmaxRegression
    return {
        "linear": lambda: StandardScaler() | linear(),
        "hat": lambda: tree.HoeffdingAdaptiveTreeClassifier(seed=1),
        "knn5": neighbours,
        "arf10": lambda: forest.ARFClassifier(n_models=10, seed=1),
    }


def _for_numbers() -> dict[str, Callable[[], Any]]:
    from river import forest, linear_model, neighbors, tree
    from river.preprocessing import StandardScaler, TargetStandardScaler

    def neighbours() -> Any:
        engine = neighbors.LazySearch(window_size=1000)
        return StandardScaler() | neighbors.KNNRegressor(n_neighbors=5, engine=engine)

    def scaled_target() -> Any:
        model = TargetStandardScaler(regressor=linear_model.LinearRegression())
        return StandardScaler() | model

    return {
        "linear": lambda: StandardScaler() | linear_model.LinearRegression(),
        "linear_scaled_target": scaled_target,
        "hat": lambda: tree.HoeffdingAdaptiveTreeRegressor(seed=1),
        "knn5": neighbours,
        "arf10": lambda: forest.ARFRegressor(n_models=10, seed=1),
    }


def run_peer(model: Any, stream: Stream) -> Found:
    """Predict, score and learn every row, one at a time."""
    rows = [dict(enumerate(row)) for row in stream.inputs.tolist()]
    targets = stream.targets.reshape(-1).tolist()
    if stream.is_classes and max(targets) == 1:
        targets = [bool(target) for target in targets]
    total = 0.0
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for row, target in zip(rows, targets, strict=True):
            answer = model.predict_one(row)
            total += float(answer == target) if stream.is_classes else abs((answer or 0) - target)
            model.learn_one(row, target)
    seconds = time.process_time() - started
    scale = 100.0 if stream.is_classes else 1.0
    return Found(scale * total / len(rows), len(rows) / seconds)
