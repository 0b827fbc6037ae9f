"""Static layers by torch: the same network as on the processor, and the laws of every engine.

Everything here needs the extra `torch`. What runs on a GPU is skipped where there is none; the
same steps then still run by torch on the processor.
"""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from kyouko.domain.engine import (
    Activation,
    Arrival,
    Device,
    EngineOptions,
    InputPopulation,
    NetworkStructure,
    Optimizer,
    StaticEngine,
    TaskKind,
    restore_engine,
)
from kyouko.domain.engine.static import engine as engine_module
from kyouko.domain.engine.static.backend import Backend, Weights
from kyouko.domain.engine.static.layers import Plan, choose_settings
from tests.reference.structures import curve, flat, pictures, static, table

torch = pytest.importorskip("torch", reason="torch, an optional extra, is not installed")

HAS_GPU = torch.cuda.is_available()
NUMBERS = flat(10, kind=TaskKind.NUMBERS, size=2)
KINDS = {
    "pictures": (static(flat(144)), pictures(700)),
    "fixed classes, tanh": (static(flat(6, size=3), 9, activation=Activation.TANH), table(700)),
    "sigmoid": (static(flat(6), activation=Activation.SIGMOID), table(700)),
    "adam": (static(flat(6), 7, 5, optimizer=Optimizer.ADAM), table(700)),
    "numbers": (static(NUMBERS, 5), curve(700, outputs=2)),
    "adam, numbers": (static(NUMBERS, optimizer=Optimizer.ADAM), curve(700, outputs=2)),
}
EVERY_KIND = pytest.mark.parametrize("kind", list(KINDS))


@pytest.fixture(
    autouse=True,
    params=[
        "cpu",
        pytest.param(
            "cuda", marks=pytest.mark.skipif(not HAS_GPU, reason="torch finds no GPU here")
        ),
    ],
)
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let networks for the GPU compute by torch on each of its devices."""
    place = str(request.param)
    make = engine_module.make_backend

    def make_backend(structure: NetworkStructure, plan: Plan, weights: Weights) -> Backend:
        if structure.options.device is Device.CPU or place == "cuda":
            return make(structure, plan, weights)
        from kyouko.domain.engine.static.torch_backend import TorchBackend

        classes = structure.output.kind is TaskKind.CLASSES
        settings = choose_settings(structure, classes=classes)
        backend: Backend = TorchBackend(
            plan, settings, weights, torch.device("cpu"), classes=classes
        )
        return backend

    monkeypatch.setattr(engine_module, "make_backend", make_backend)
    return place


def on_gpu(structure: NetworkStructure) -> NetworkStructure:
    """The same network, asked for on a GPU."""
    return replace(structure, options=replace(structure.options, device=Device.GPU))


def same(first: StaticEngine, second: StaticEngine) -> bool:
    """Compare everything that decides the future, to the bit."""
    left, right = first.export_state().arrays, second.export_state().arrays
    return list(left) == list(right) and all(
        array.tobytes() == right[name].tobytes() for name, array in left.items()
    )


@EVERY_KIND
def test_torch_learns_what_the_processor_learns(kind: str) -> None:
    """Losses, predictions and statistics agree up to rounding."""
    structure, (rows, targets) = KINDS[kind]
    plain, other = StaticEngine(structure), StaticEngine(on_gpu(structure))

    expected = plain.learn(rows, targets, arrival=Arrival.STREAMED)
    found = other.learn(rows, targets, arrival=Arrival.STREAMED)

    np.testing.assert_allclose(expected.loss, found.loss, rtol=1e-2, atol=1e-3)
    scale = np.abs(expected.outputs).max()
    np.testing.assert_allclose(expected.outputs, found.outputs, atol=2e-3 * scale)
    assert np.mean(expected.predicted == found.predicted) > 0.99
    assert np.mean(expected.correct == found.correct) > 0.99
    left, right = plain.statistics(), other.statistics()
    assert pytest.approx(left.running_loss, rel=1e-3) == right.running_loss
    assert replace(left, running_loss=0.0, running_error=0.0, memory_bytes=0) == replace(
        right, running_loss=0.0, running_error=0.0, memory_bytes=0
    )
    np.testing.assert_allclose(plain.predict(rows), other.predict(rows), atol=2e-3 * scale)


@EVERY_KIND
def test_frames_do_not_matter(kind: str) -> None:
    """Rows in frames of any size teach and score exactly as one frame of all rows."""
    structure, (rows, targets) = KINDS[kind]
    whole, parts = (StaticEngine(on_gpu(structure)) for _ in range(2))
    scored = whole.learn(rows[:300], targets[:300], arrival=Arrival.STREAMED)

    pieces = [
        parts.learn(rows[start:stop], targets[start:stop], arrival=Arrival.STREAMED)
        for start, stop in itertools.pairwise([0, 1, 2, 65, 66, 200, 300])
    ]

    assert same(whole, parts)
    assert np.array_equal(scored.loss, np.concatenate([piece.loss for piece in pieces]))
    alone = [whole.predict(rows[place : place + 1])[0] for place in range(300, 340)]
    assert np.array_equal(whole.predict(rows[300:340]), np.stack(alone))


@EVERY_KIND
def test_predicting_changes_nothing_and_learning_is_what_was_predicted(kind: str) -> None:
    """A prediction leaves no trace, and is what the same row then scores."""
    structure, (rows, targets) = KINDS[kind]
    engine = StaticEngine(on_gpu(structure))
    engine.learn(rows[:200], targets[:200], arrival=Arrival.STREAMED)
    before = engine.export_state().arrays

    predicted = engine.predict(rows[200:201])

    after = engine.export_state().arrays
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
    scored = engine.learn(rows[200:201], targets[200:201], arrival=Arrival.STREAMED)
    assert np.array_equal(predicted, scored.outputs[:, : predicted.shape[1]])


@pytest.mark.parametrize("cut", [0, 1, 63, 200])
@EVERY_KIND
def test_restored_networks_continue_exactly(kind: str, cut: int) -> None:
    """Export at any row, import, and go on: bit for bit the same future."""
    structure, (rows, targets) = KINDS[kind]
    original = StaticEngine(on_gpu(structure))
    original.learn(rows[:cut], targets[:cut], arrival=Arrival.STREAMED)

    copy = StaticEngine(on_gpu(structure))
    copy.import_state(original.export_state())

    for engine in (original, copy):
        engine.learn(rows[cut:400], targets[cut:400], arrival=Arrival.STREAMED)
    assert same(original, copy)


@EVERY_KIND
def test_networks_move_between_devices(kind: str) -> None:
    """A state of one device goes on at the other, with the same predictions up to rounding."""
    structure, (rows, targets) = KINDS[kind]
    plain = StaticEngine(structure)
    plain.learn(rows[:400], targets[:400], arrival=Arrival.STREAMED)

    moved = restore_engine(on_gpu(structure), plain.export_state())
    back = restore_engine(structure, moved.export_state())

    scale = np.abs(plain.predict(rows)).max()
    np.testing.assert_allclose(plain.predict(rows), moved.predict(rows), atol=1e-5 * scale)
    assert np.array_equal(plain.predict(rows), back.predict(rows))


@EVERY_KIND
def test_added_channels_leave_the_function_as_it_is(kind: str) -> None:
    """New channels have no say at first."""
    structure, (rows, targets) = KINDS[kind]
    engine = StaticEngine(on_gpu(structure))
    engine.learn(rows[:300], targets[:300], arrival=Arrival.STREAMED)
    before = engine.predict(rows[300:350])

    engine.add_channels(InputPopulation("more", 2, (2, 1, 1), (0.0, 0.0, 0.0)))

    wide = np.concatenate([rows, rows[:, :2] * 1e6], axis=1)
    scale = np.abs(before).max()
    np.testing.assert_allclose(before, engine.predict(wide[300:350]), atol=1e-5 * scale)
    scored = engine.learn(wide[300:], targets[300:], arrival=Arrival.STREAMED)
    assert np.isfinite(scored.loss).all()


@pytest.mark.parametrize("kind", list(TaskKind))
def test_odd_values_leave_it_finite(kind: TaskKind) -> None:
    """Missing values, both ends of float32 and denormals leave outputs and weights finite."""
    random = np.random.default_rng(8)
    odd = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 0.0, 1.0, -2.0, 1e6], np.float32)
    rows = random.choice(odd, (150, 3))
    structure = static(flat(3, 8, kind=kind, size=0 if kind is TaskKind.CLASSES else 1))
    targets: np.ndarray = random.integers(0, 4, 150).astype(np.int32)
    if kind is TaskKind.NUMBERS:
        targets = random.choice(odd[3:], (150, 1))
    engine = StaticEngine(on_gpu(structure))

    scored = engine.learn(rows, targets, arrival=Arrival.STREAMED)

    assert np.isfinite(scored.outputs).all()
    assert np.isfinite(scored.loss).all()
    assert np.isfinite(engine.predict(rows)).all()
    assert np.isfinite(engine.export_state().arrays["parameters"]).all()
    assert int((~np.isfinite(rows)).sum()) == engine.statistics().non_finite_values


def test_memory_is_counted_with_what_the_device_holds() -> None:
    """The bound covers weights, moments and scratch on the device."""
    structure = static(flat(100, 200, size=2), optimizer=Optimizer.ADAM)
    weights = 4 * 3 * (101 * 200 + 201 * 2)

    found = StaticEngine(on_gpu(structure)).statistics().memory_bytes

    assert found > weights
    limit = EngineOptions(memory_limit_bytes=found, optimizer=Optimizer.ADAM)
    assert StaticEngine(on_gpu(replace(structure, options=limit))).outputs == 2
