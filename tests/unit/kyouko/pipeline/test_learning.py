"""Networks that teach themselves, and networks whose rows grow wider and narrower."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from kyouko.domain.engine import Arrival, EngineOptions, GrowthKind, NetworkStructure
from kyouko.domain.networks.learner import Labels, Learner, Numbers, RowResults, Rows
from kyouko.domain.pipeline.options import Forecast, MissingPolicy, PipelineOptions
from kyouko.domain.template import resolve
from kyouko.templates import shipped_templates
from mesh.errors import DomainError, InvalidArgument, ResourceExhausted
from tests.bench.series import mackey_glass

Float32 = npt.NDArray[np.float32]
GROWING = PipelineOptions(lags=(1,), grow_channels=True, most_channels=4, narrow_rows=True)


def structure_of(
    options: PipelineOptions, *, template: str = "flat", channels: int = 2
) -> NetworkStructure:
    """Return a shipped template with a pipeline."""
    shipped = shipped_templates()[template].template
    return resolve(replace(shipped, pipeline=options), channels=channels)


def learner(options: PipelineOptions, *, template: str = "flat", channels: int = 2) -> Learner:
    """Return a new network with a pipeline."""
    return Learner(structure_of(options, template=template, channels=channels), None)


def foretell(template: str, rows: Float32) -> RowResults:
    """Let a network of a shipped template learn rows, and return what it said of them."""
    network = Learner(resolve(shipped_templates()[template].template, channels=rows.shape[1]), None)
    return network.learn(Rows(rows), Arrival.STREAMED)


def test_a_forecast_beats_the_last_value() -> None:
    """On a chaotic series its error is a tenth of it after 1,000 rows."""
    rows = mackey_glass(1500, 1).inputs

    said = foretell("forecast", rows).foretold

    assert said is not None
    error = np.abs(said.predicted[1000:] - said.actual[1000:]).mean()
    naive = np.abs(rows[1000:] - rows[999:-1]).mean()
    assert error < 0.1 * naive


def test_a_forecast_follows_a_series_that_wanders_off() -> None:
    """Of a random walk nothing can be known but the last value: the error is hardly above it."""
    rows = np.cumsum(np.random.default_rng(1).normal(size=(1500, 1)), axis=0).astype(np.float32)

    said = foretell("forecast", rows).foretold

    assert said is not None
    error = np.abs(said.predicted[500:] - said.actual[500:]).mean()
    naive = np.abs(rows[500:] - rows[499:-1]).mean()
    assert error < 1.05 * naive


def test_strange_rows_have_a_greater_loss() -> None:
    """Channels that belong together and do not agree are told by the reconstruction's loss."""
    random = np.random.default_rng(2)
    rows = (random.normal(size=(1500, 2)) @ random.normal(size=(2, 6))).astype(np.float32)
    strange = np.arange(1000, 1500, 25)
    rows[strange, 3] += 3.0

    loss = foretell("anomaly", rows).loss

    assert loss is not None
    ordinary = np.setdiff1d(np.arange(1000, 1500), strange)
    assert np.median(loss[strange]) > np.quantile(loss[ordinary], 0.95)


def test_the_first_rows_have_no_loss() -> None:
    """Nothing was said of them; what is said of the rows to come is there from the first one on."""
    network = learner(PipelineOptions(forecast=Forecast(3)), template="flat-numbers", channels=1)

    results = network.learn(Rows(np.ones((5, 1))), Arrival.STREAMED)

    assert results.loss is not None
    assert [True] * 3 + [False] * 2 == np.isnan(results.loss).tolist()
    assert np.isfinite(results.outputs).all()
    assert (2, 2, 3) == (results.scored_rows, network.learned_rows, network.passed_rows)


def test_a_network_that_teaches_itself_takes_no_targets() -> None:
    """They would not be learned, so they are refused."""
    network = learner(PipelineOptions(forecast=Forecast()), template="flat-numbers", channels=1)

    with pytest.raises(InvalidArgument, match="teaches itself") as refused:
        network.learn(Rows(np.ones((1, 1)), Numbers(np.ones((1, 1)))), Arrival.STREAMED)

    assert "TARGET_INVALID" == refused.value.reason


def test_rows_that_were_left_out_have_no_answer() -> None:
    """Their outputs and loss are not a number, nothing is predicted, and their label is lost."""
    network = learner(PipelineOptions(missing=MissingPolicy.SKIP))
    rows = Rows(np.array([[1, 1], [np.nan, 1], [2, 2]]), Labels(["a", "b", "a"]))

    results = network.learn(rows, Arrival.STREAMED)

    assert results.predicted is not None
    assert results.loss is not None
    assert [-1, -1, 0] == results.predicted.tolist()
    assert [False, True, False] == np.isnan(results.loss).tolist()
    assert np.isnan(results.outputs[1]).all()
    assert (("a",), 2, 1) == (network.labels.labels, network.learned_rows, network.passed_rows)


def test_wider_rows_widen_the_network() -> None:
    """New channels enter with their own lags; what was learned stays, and rows may lack them."""
    network = learner(GROWING)
    network.learn(Rows(np.ones((3, 2)), Labels(["a", "b", "a"])), Arrival.STREAMED)

    network.learn(Rows(np.ones((2, 3)), Labels(["a", "b"])), Arrival.STREAMED)
    network.learn(Rows(np.ones((2, 1)), Labels(["a", "b"])), Arrival.STREAMED)

    found = network.statistics().pipeline
    assert found is not None
    assert (3, 6) == (found.channels, network.engine.channels)
    assert [("absent", 1, 2), ("absent", 2, 2)] == [
        (item.cause, item.channel, item.values) for item in found.quarantined
    ]
    added = [event for event in network.events() if event.kind is GrowthKind.CHANNELS_ADDED]
    assert [2] == [event.subject for event in added]


def test_rows_may_not_be_wider_than_the_limit() -> None:
    """Nor narrower where nobody allowed it."""
    growing, strict = learner(GROWING), learner(replace(GROWING, narrow_rows=False))

    for network, width in ((growing, 5), (strict, 1)):
        with pytest.raises(InvalidArgument) as refused:
            network.learn(Rows(np.ones((1, width))), Arrival.STREAMED)
        assert "WIDTH_MISMATCH" == refused.value.reason


def test_a_refused_frame_widens_nothing() -> None:
    """A label too many is found before the network grows."""
    structure = structure_of(GROWING)
    options = replace(structure.options, max_outputs=2)
    network = Learner(replace(structure, options=options), None)

    with pytest.raises(DomainError) as refused:
        network.learn(Rows(np.ones((3, 4)), Labels(["a", "b", "c"])), Arrival.STREAMED)

    assert "LIMIT_REACHED" == refused.value.reason
    assert 4 == network.engine.channels


def test_predicted_rows_widen_nothing() -> None:
    """Channels that the network has not met are left out of what is only predicted."""
    network = learner(GROWING)
    network.learn(Rows(np.ones((3, 2)), Labels(["a", "b", "a"])), Arrival.STREAMED)

    results = network.predict(Rows(np.ones((1, 4))))

    assert np.array_equal(network.predict(Rows(np.ones((1, 2)))).outputs, results.outputs)
    assert 4 == network.engine.channels


def test_a_pipeline_too_large_is_refused() -> None:
    """What it may ever take has to leave the engine half of the network's memory."""
    structure = structure_of(PipelineOptions(window=1000))
    options = EngineOptions(memory_limit_bytes=1 << 20)

    with pytest.raises(ValueError, match="leave no room beside the pipeline"):
        Learner(replace(structure, options=options), None)


def test_no_room_for_wider_rows_is_told() -> None:
    """The frame is refused, and the network goes on as it was."""
    growing = replace(GROWING, lags=(), most_channels=40_000)
    structure = structure_of(growing)
    options = replace(structure.options, memory_limit_bytes=12 << 20, experts=False)
    network = Learner(replace(structure, options=options), None)

    with pytest.raises(ResourceExhausted, match="no room for wider rows"):
        network.learn(Rows(np.ones((1, 40_000)), Labels(["a"])), Arrival.STREAMED)

    network.learn(Rows(np.ones((1, 2)), Labels(["a"])), Arrival.STREAMED)
    assert (1, 2) == (network.learned_rows, network.engine.channels)


def test_a_series_is_followed_aside() -> None:
    """Stored rows are predicted one after the other while the network itself stands still."""
    network = learner(PipelineOptions(forecast=Forecast()), template="flat-numbers", channels=1)
    rows = np.arange(40, dtype=np.float32)[:, np.newaxis]
    network.learn(Rows(rows[:20]), Arrival.STREAMED)
    before = network.predict(Rows(rows[20:21])).outputs

    results = network.aside().follow(Rows(rows[20:]))

    assert 20 == results.scored_rows
    assert 20 == network.learned_rows + 1
    assert np.array_equal(before, network.predict(Rows(rows[20:21])).outputs)
