"""The dense layers' kernels agree with slow twins and with finite differences."""

import os
from dataclasses import dataclass

import numpy as np
import pytest

from kyouko.domain.engine import Arrival, Optimizer, TaskKind, create_engine
from kyouko.kernels import dense_indices as indices
from kyouko.kernels.dense import learn_dense, predict_dense, scale_dense
from kyouko.kernels.warmup import warm_up_dense
from tests.reference import dense as reference
from tests.reference.structures import curve, flat, pictures, static

if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
    # Kernels that are plain Python compute with numpy's numbers, which warn when they overflow.
    pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

KINDS = {
    "relu": indices.RECTIFIED,
    "tanh": indices.TANH,
    "sigmoid": indices.SIGMOID,
}
EVERY_ACTIVATION = pytest.mark.parametrize("activation", list(KINDS))
EVERY_TASK = pytest.mark.parametrize("classes", [True, False], ids=["classes", "numbers"])
CHANNELS = 5
OUTPUTS = 6
KNOWN = 3


@dataclass
class Network:
    """Arrays of a network with two hidden layers, as the kernels take them."""

    layers: np.ndarray
    parameters: np.ndarray
    first_moment: np.ndarray
    second_moment: np.ndarray
    activity: np.ndarray
    delta: np.ndarray
    counters: np.ndarray
    meters: np.ndarray

    def learn(
        self, rows: np.ndarray, targets: np.ndarray, settings: np.ndarray, *, classes: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Learn rows and return outputs, losses, correct and predicted."""
        scaled = np.ones((len(rows), CHANNELS + 1), np.float32)
        scaled[:, :-1] = rows
        results = (
            np.zeros((len(rows), OUTPUTS), np.float32),
            np.zeros(len(rows), np.float32),
            np.zeros(len(rows), np.uint8),
            np.full(len(rows), -1, np.int32),
        )
        labels = targets if classes else np.zeros(len(rows), np.int32)
        wanted = np.zeros((len(rows), 1), np.float32) if classes else targets
        learn_dense(
            0, len(rows), classes, settings, *results, scaled, labels, wanted,
            self.layers, self.parameters, self.first_moment, self.second_moment, self.activity,
            self.delta, self.counters, self.meters,
        )  # fmt: skip
        return results

    def twin(self) -> reference.Layers:
        """Read the present weights of the known outputs."""
        known = int(self.counters[indices.KNOWN_OUTPUTS])
        return reference.read_layers(self.layers, self.parameters, known)


def network(activation: str, *, seed: int = 1) -> Network:
    """Draw a network of layers of 9 and 4 neurons."""
    random = np.random.default_rng(seed)
    rows, weight, place, inputs = [], 0, 0, CHANNELS + 1
    for neurons, kind in ((9, KINDS[activation]), (4, KINDS[activation]), (OUTPUTS, 0)):
        rows.append((inputs, neurons, weight, place, place + inputs, kind))
        weight += inputs * neurons
        place += inputs
        inputs = neurons + 1
    activity = np.zeros(place + OUTPUTS, np.float32)
    for row in rows:
        activity[row[3] + row[0] - 1] = 1.0
    parameters = random.normal(0.0, 0.4, weight).astype(np.float32)
    # Outputs that are not known have no weights.
    parameters[rows[-1][2] + KNOWN * rows[-1][0] :] = 0.0
    counters = np.zeros(indices.COUNTERS, np.int64)
    counters[indices.KNOWN_OUTPUTS] = KNOWN
    return Network(
        np.array(rows, np.int64), parameters, np.zeros(weight, np.float32),
        np.zeros(weight, np.float32), activity, np.zeros_like(activity), counters,
        np.zeros(indices.METERS),
    )  # fmt: skip


def settings(rate: float, *, limit: float = 1e9, optimizer: int = indices.SGD) -> np.ndarray:
    """Settings as the kernels read them."""
    return np.array([rate, limit, optimizer], np.float64)


def some_rows(rows: int, *, classes: bool) -> tuple[np.ndarray, np.ndarray]:
    """Scaled rows and targets."""
    random = np.random.default_rng(3)
    inputs = random.normal(size=(rows, CHANNELS)).astype(np.float32)
    if classes:
        return inputs, random.integers(0, KNOWN, rows).astype(np.int32)
    # Near enough to the scores: an error counts at most 3.
    return inputs, random.uniform(-1.0, 1.0, (rows, KNOWN)).astype(np.float32)


def target_of(targets: np.ndarray, row: int, *, classes: bool) -> int | np.ndarray:
    """One row's target as the twins take it."""
    return int(targets[row]) if classes else targets[row].astype(np.float64)


@EVERY_TASK
@EVERY_ACTIVATION
def test_predictions_agree(activation: str, classes: bool) -> None:
    """The forward pass agrees with sums over one neuron after the other."""
    model = network(activation)
    rows, _ = some_rows(20, classes=classes)
    scaled = np.ones((20, CHANNELS + 1), np.float32)
    scaled[:, :-1] = rows
    outputs = np.zeros((20, OUTPUTS), np.float32)

    predict_dense(
        0, 20, classes, outputs, scaled, model.layers, model.parameters, model.activity,
        model.counters,
    )  # fmt: skip

    scores = [reference.forward(model.twin(), row)[-1] for row in rows.astype(np.float64)]
    expected = [reference.softmax(item) for item in scores] if classes else scores
    np.testing.assert_allclose(expected, outputs[:, :KNOWN], rtol=1e-4, atol=1e-5)
    assert not outputs[:, KNOWN:].any()


@EVERY_TASK
@EVERY_ACTIVATION
def test_steps_follow_the_gradient(activation: str, classes: bool) -> None:
    """A step of SGD is the learning rate times the gradient by finite differences."""
    rows, targets = some_rows(6, classes=classes)
    for row in range(6):
        model = network(activation, seed=row)
        model.counters[indices.LEARNED_ROWS] = 1
        twin = model.twin()
        target = target_of(targets, row, classes=classes)
        gradients = reference.numeric_gradient(twin, rows[row].astype(np.float64), target)

        model.learn(rows[row : row + 1], targets[row : row + 1], settings(0.5), classes=classes)

        for before, after, gradient in zip(
            twin.weights, model.twin().weights, gradients, strict=True
        ):
            np.testing.assert_allclose(gradient, (before - after) / 0.5, rtol=1e-3, atol=2e-5)


@EVERY_TASK
def test_steep_places_shorten_the_step(classes: bool) -> None:
    """Where the loss bends more than the rate allows for, the step ends at the limit."""
    rows, targets = some_rows(1, classes=classes)
    model = network("relu")
    model.counters[indices.LEARNED_ROWS] = 1
    twin = model.twin()
    row, target = rows[0].astype(np.float64), target_of(targets, 0, classes=classes)
    scores = reference.forward(twin, row)[-1]
    derivative = reference.softmax(scores) if classes else scores - target
    if isinstance(target, int):
        derivative[target] -= 1.0
    gradients = reference.numeric_gradient(twin, row, target)
    square = float((derivative**2).sum())
    expected = reference.descend(twin, gradients, rate=10.0, limit=0.5, square=square)

    model.learn(rows, targets, settings(10.0, limit=0.5), classes=classes)

    for matrix, found in zip(expected, model.twin().weights, strict=True):
        np.testing.assert_allclose(matrix, found, rtol=1e-3, atol=1e-5)


@EVERY_TASK
@EVERY_ACTIVATION
def test_adam_agrees(activation: str, classes: bool) -> None:
    """Several steps of Adam agree with the algorithm as published."""
    rows, targets = some_rows(8, classes=classes)
    model = network(activation)
    model.counters[indices.LEARNED_ROWS] = 1
    twin = model.twin()
    adam = reference.Adam(
        0.01,
        [np.zeros_like(matrix) for matrix in twin.weights],
        [np.zeros_like(matrix) for matrix in twin.weights],
    )
    for row in range(8):
        target = target_of(targets, row, classes=classes)
        gradients = reference.numeric_gradient(twin, rows[row].astype(np.float64), target)
        changed = adam.step(twin, gradients)
        twin = reference.Layers(changed, twin.kinds)

    model.learn(rows, targets, settings(0.01, optimizer=indices.ADAM), classes=classes)

    for matrix, found in zip(twin.weights, model.twin().weights, strict=True):
        # A gradient of exactly 0 by finite differences is one of 1e-10: Adam divides it by itself.
        moved = np.abs(matrix - found) < 1e-3
        assert moved.mean() > 0.97
    assert 8 == model.counters[indices.UPDATED_ROWS]


def test_scores_of_classes() -> None:
    """Loss, hit and best class belong to the prediction before learning."""
    rows, labels = some_rows(1, classes=True)
    model = network("relu")
    chances = reference.softmax(reference.forward(model.twin(), rows[0].astype(np.float64))[-1])

    outputs, losses, correct, predicted = model.learn(rows, labels, settings(0.1), classes=True)

    np.testing.assert_allclose(chances, outputs[0, :KNOWN], rtol=1e-4)
    assert pytest.approx(-np.log(chances[labels[0]]), rel=1e-4) == losses[0]
    assert chances.argmax() == predicted[0]
    assert int(predicted[0] == labels[0]) == correct[0]


def test_new_labels_open_outputs() -> None:
    """A label never seen costs 13.8, has no chance in this row, and one from the next on."""
    rows, _ = some_rows(2, classes=True)
    model = network("relu")

    outputs, losses, _, _ = model.learn(
        rows, np.array([4, 4], np.int32), settings(0.1), classes=True
    )

    assert 5 == model.counters[indices.KNOWN_OUTPUTS]
    assert pytest.approx(13.8) == losses[0]
    assert 0.0 == outputs[0, 4]
    assert outputs[1, 4] > 0.0
    assert losses[1] < 13.8


def test_the_first_number_teaches_nothing() -> None:
    """Without a second target there is no unit: no loss, no step."""
    rows, targets = some_rows(1, classes=False)
    model = network("relu")
    before = model.parameters.copy()

    _, losses, _, _ = model.learn(rows, targets, settings(0.1), classes=False)

    assert 0.0 == losses[0]
    assert np.array_equal(before, model.parameters)


def test_a_huge_error_counts_as_three_deviations() -> None:
    """A number far from the prediction moves the weights as one 3 deviations away does."""
    rows, _ = some_rows(1, classes=False)
    found = []
    for distance in (1e4, 1e7):
        model = network("relu")
        model.counters[indices.LEARNED_ROWS] = 1
        targets = np.full((1, KNOWN), distance, np.float32)
        model.learn(rows, targets, settings(0.1), classes=False)
        found.append(model.parameters)

    assert np.array_equal(found[0], found[1])


@pytest.mark.parametrize("optimizer", [indices.SGD, indices.ADAM])
@pytest.mark.parametrize("spoiled", [np.nan, np.inf, 3e38])
def test_a_step_that_would_spoil_the_weights_is_left_out(spoiled: float, optimizer: int) -> None:
    """A gradient that is not finite changes nothing."""
    rows, labels = some_rows(1, classes=True)
    model = network("relu")
    # The second weight of the second layer: its neuron's sum overflows.
    model.parameters[model.layers[1, indices.FIRST_WEIGHT] : model.layers[2, 2]] = spoiled
    before = model.parameters.copy()

    model.learn(rows, labels, settings(0.1, optimizer=optimizer), classes=True)

    assert np.array_equal(before, model.parameters, equal_nan=True)
    assert not model.first_moment.any()
    assert 0 == model.counters[indices.UPDATED_ROWS]


def test_scaling_agrees() -> None:
    """Scaled values agree with the twin's, and missing ones are counted."""
    random = np.random.default_rng(4)
    rows = (random.normal(size=(30, 7)) * 40.0 + 100.0).astype(np.float32)
    odd = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 0.0, 1e5], np.float32)
    rows[random.random(rows.shape) < 0.3] = 0.0
    rows.reshape(-1)[random.permutation(rows.size)[:8]] = odd
    center, inverse = random.normal(size=7) * 100.0, random.random(7)
    inverse[3] = 0.0
    scaled = np.ones((30, 8), np.float32)

    missing = scale_dense(rows, 5.0, 1000.0, center, inverse, scaled)

    expected, counted = reference.scale(rows, 5.0, 1000.0, center, inverse)
    np.testing.assert_allclose(expected, scaled[:, :7], rtol=1e-6)
    assert counted == missing
    assert (scaled[:, 7] == 1.0).all()


@pytest.mark.skipif(
    not hasattr(learn_dense, "signatures"), reason="nothing is compiled without numba"
)
def test_use_compiles_nothing_more() -> None:
    """After warming up, no task, dtype or memory layout makes a kernel compile again."""
    seconds = warm_up_dense()

    rows, labels = pictures(100)
    frozen = np.frombuffer(rows.tobytes(), np.float32).reshape(rows.shape)
    for structure, inputs, targets in (
        (static(flat(144), 5), rows.astype(np.uint8), labels),
        (static(flat(144), optimizer=Optimizer.ADAM), frozen, labels),
        (static(flat(10, kind=TaskKind.NUMBERS, size=2)), *curve(100, outputs=2)),
    ):
        engine = create_engine(structure)
        engine.learn(inputs, targets, arrival=Arrival.STREAMED)
        engine.predict(inputs)

    assert seconds > 0.0
    assert 1 == len(learn_dense.signatures)  # type: ignore[attr-defined]
    assert 1 == len(predict_dense.signatures)  # type: ignore[attr-defined]
    assert 1 == len(scale_dense.signatures)  # type: ignore[attr-defined]


def test_bits_do_not_depend_on_places_in_memory() -> None:
    """Wherever the arrays happen to lie, the sums are taken in the same order."""
    rows, labels = some_rows(64, classes=True)
    results = set()
    kept = []
    for place in range(40):
        kept.append(np.zeros(17 * place + 1))
        model = network("tanh")
        model.learn(rows, labels, settings(0.1), classes=True)
        results.add(model.parameters.tobytes())

    assert 1 == len(results)
