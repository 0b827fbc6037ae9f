"""The slow peers on MNIST: PyTorch, scikit-learn and River, one row at a time, inputs / 255.

They are imported where they are used: nothing here is needed unless it is measured. What takes
milliseconds a row gets the first rows only, and the note says so.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tests.bench.mnist import Mnist

__all__ = ["PEERS", "SUBSET_NOTE", "SUBSET_ROWS", "SUBSET_TESTS", "Found", "Peer"]

SUBSET_ROWS: Final = 2000
SUBSET_TESTS: Final = 500
SUBSET_NOTE: Final = f"the first {SUBSET_ROWS:,} rows, tested on the first {SUBSET_TESTS:,}"

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """Learned rows in a CPU second, and accuracy in percent."""

    rows_per_second: float
    accuracy: float


@dataclass(frozen=True)
class Peer:
    """A learner to compare with.

    Attributes:
        name: as in the figures.
        measure: learns and tests; raises ModuleNotFoundError where its library is missing.
        note: seeds and rows.
        times: demand: how many times as fast the flat network of 128 neurons has to be.
    """

    name: str
    measure: Callable[[Mnist], Found]
    note: str
    times: float | None = None


def measure_torch(data: Mnist) -> Found:
    """Train 784-128-10 with SGD, batch size one, over all rows."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(1)
    network = torch.nn.Sequential(
        torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
    )
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    loss = torch.nn.CrossEntropyLoss()
    rows = torch.from_numpy(_unit(data.train_images))
    labels = torch.from_numpy(data.train_labels.astype(np.int64))
    started = time.process_time()
    for place in range(len(rows)):
        optimizer.zero_grad()
        loss(network(rows[place : place + 1]), labels[place : place + 1]).backward()
        optimizer.step()
    seconds = time.process_time() - started
    with torch.no_grad():
        predicted = network(torch.from_numpy(_unit(data.test_images))).argmax(dim=1).numpy()
    return Found(len(rows) / seconds, _percent(predicted, data.test_labels))


def measure_scikit_learn(data: Mnist) -> Found:
    """Train MLPClassifier(128) with partial_fit, row by row."""
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier((128,), solver="sgd", learning_rate_init=0.01, random_state=1)
    rows = _unit(data.train_images[:SUBSET_ROWS])
    labels, classes = data.train_labels, np.arange(10)
    started = time.process_time()
    for place in range(SUBSET_ROWS):
        part = slice(place, place + 1)
        network.partial_fit(rows[part], labels[part], classes=classes)
    seconds = time.process_time() - started
    predicted = network.predict(_unit(data.test_images[:SUBSET_TESTS]))
    return Found(SUBSET_ROWS / seconds, _percent(predicted, data.test_labels[:SUBSET_TESTS]))


def measure_river_softmax(data: Mnist) -> Found:
    """Train River's softmax regression."""
    from river.linear_model import SoftmaxRegression

    return _measure_river(SoftmaxRegression(), data)


def measure_river_tree(data: Mnist) -> Found:
    """Train River's Hoeffding tree."""
    from river.tree import HoeffdingTreeClassifier

    return _measure_river(HoeffdingTreeClassifier(), data)


def _measure_river(model: Any, data: Mnist) -> Found:
    rows = [dict(enumerate(row)) for row in _unit(data.train_images[:SUBSET_ROWS]).tolist()]
    labels = data.train_labels[:SUBSET_ROWS].tolist()
    started = time.process_time()
    for row, label in zip(rows, labels, strict=True):
        model.learn_one(row, label)
    seconds = time.process_time() - started
    tests = _unit(data.test_images[:SUBSET_TESTS]).tolist()
    predicted = [model.predict_one(dict(enumerate(row))) for row in tests]
    right = _percent(np.asarray(predicted), data.test_labels[:SUBSET_TESTS])
    return Found(SUBSET_ROWS / seconds, right)


def _unit(images: npt.NDArray[np.uint8]) -> Float32:
    return images.astype(np.float32) / np.float32(255)


def _percent(predicted: npt.NDArray[Any], labels: npt.NDArray[np.int32]) -> float:
    return 100 * float(np.mean(predicted == labels))


PEERS: Final = (
    Peer("torch_784_128_10", measure_torch, "one seed, batch size one", times=60.0),
    Peer("scikit_learn_784_128_10", measure_scikit_learn, f"one seed, {SUBSET_NOTE}"),
    Peer("river_softmax", measure_river_softmax, SUBSET_NOTE),
    Peer("river_hoeffding_tree", measure_river_tree, SUBSET_NOTE),
)
