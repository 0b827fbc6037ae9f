"""Measure the engine alone: learning rows per second, and accuracy after one pass.

Times are CPU seconds of the calling thread, so that other work on the machine disturbs less.
"""

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine import (
    Arrival,
    EngineOptions,
    InputPopulation,
    NetworkStructure,
    OutputPopulation,
    Population,
    TaskKind,
    create_engine,
)
from kyouko.kernels.warmup import warm_up

__all__ = ["flat_structure", "measure_engine"]

_FRAME_ROWS = 64
_TEST_SHARE = 7  # without test rows given, one row in seven tests


def flat_structure(channels: int, neurons: int, *, seed: int = 1) -> NetworkStructure:
    """One population of classes that may connect to every channel."""
    return NetworkStructure(
        inputs=(InputPopulation("input", channels, (channels, 1, 1), (0.0, 0.0, 0.0)),),
        populations=(Population("hidden", (0.0, 0.0, 1.0), neurons),),
        output=OutputPopulation("label", TaskKind.CLASSES),
        options=EngineOptions(seed=seed),
    )


def _learn_once(
    images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int32], seed: int
) -> tuple[float, Any]:
    engine = create_engine(flat_structure(images.shape[1], 128, seed=seed))
    start = time.thread_time()
    for first in range(0, len(images), _FRAME_ROWS):
        last = first + _FRAME_ROWS
        engine.learn(images[first:last], labels[first:last], arrival=Arrival.STORED)
    return time.thread_time() - start, engine


def measure_engine(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int32],
    test_images: npt.NDArray[np.uint8] | None = None,
    test_labels: npt.NDArray[np.int32] | None = None,
    *,
    repeats: int = 5,
) -> dict[str, float]:
    """Learn the rows once in frames of 64 with a flat network of 128 neurons.

    Args:
        images: uint8, shape (rows, channels), raw.
        labels: int32, shape (rows,).
        test_images: rows never learned; without them the last seventh of `images` is held out.
        test_labels: their labels.
        repeats: runs with seeds 1 to `repeats`; times are medians, accuracies means.

    Returns:
        warm_up_seconds, learn_rows_per_second, predict_rows_per_second, accuracy (0 to 1),
        accuracy_deviation and prequential_accuracy (last run).
    """
    if test_images is None or test_labels is None:
        border = len(images) - len(images) // _TEST_SHARE
        test_images, test_labels = images[border:], labels[border:]
        images, labels = images[:border], labels[:border]
    warm = warm_up()
    learn_seconds, predict_seconds, accuracies = [], [], []
    prequential = 0.0
    for seed in range(1, repeats + 1):
        seconds, engine = _learn_once(images, labels, seed)
        learn_seconds.append(seconds)
        start = time.thread_time()
        predicted = engine.predict(test_images).argmax(axis=1)
        predict_seconds.append(time.thread_time() - start)
        accuracies.append(float(np.mean(predicted == test_labels)))
        prequential = 1.0 - engine.statistics().running_error
    return {
        "warm_up_seconds": warm,
        "learn_rows_per_second": len(images) / float(np.median(learn_seconds)),
        "predict_rows_per_second": len(test_images) / float(np.median(predict_seconds)),
        "accuracy": float(np.mean(accuracies)),
        "accuracy_deviation": float(np.std(accuracies)),
        "prequential_accuracy": prequential,
    }
