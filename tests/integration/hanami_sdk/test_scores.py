"""Scores in the stream, from the client's question to its answer, through Envoy."""

import numpy as np
import pytest

from hanami_sdk import Client, InvalidArgument, Scoring
from hanami_sdk.scoring import ClassMetrics, NumberMetrics

RANDOM = np.random.default_rng(7)
ROWS = RANDOM.normal(size=(1_500, 4)).astype(np.float32)
KINDS = np.where(ROWS[:, 0] > ROWS[:, 1], "left", "right")
EVERYTHING = Scoring(
    window_rows=200,
    drift=["ADWIN", "KSWIN", "PAGE_HINKLEY"],
    drift_channels="all",
    anomaly=True,
    coverage=0.9,
)


@pytest.fixture
def network(client: Client) -> str:
    """Return the name of a fresh network of four channels."""
    return client.networks.create("n1", template="flat", channels=4).name


@pytest.fixture
def numbers(client: Client) -> str:
    """Return the name of a fresh network that predicts a number."""
    return client.networks.create("n2", template="flat-numbers", channels=4).name


def test_labels_are_scored_while_they_are_learned(client: Client, network: str) -> None:
    """The network is better than its baselines, and says so with each result."""
    right = 0

    with client.learn(network, scoring=EVERYTHING) as stream:
        for first in range(0, 1_500, 100):
            part = slice(first, first + 100)
            result = stream.send(ROWS[part], labels=KINDS[part].tolist())
            right += result.correct_rows

    scores = result.scores
    assert scores is not None
    assert (1_500, 0) == (scores.scored_rows, scores.since_learned_rows)
    assert isinstance(scores.metrics, ClassMetrics)
    assert right / 1_500 == scores.metrics.total.network.accuracy
    assert scores.metrics.window.network.accuracy > scores.metrics.window.last_class.accuracy + 0.2
    assert (100,) == scores.anomaly.shape
    assert scores.label_sets is not None
    assert 100 == len(scores.label_sets.sets)
    assert scores.label_sets.coverage.total is not None
    assert scores.label_sets.coverage.total > 0.85


def test_a_sensor_that_moves_is_told(client: Client, numbers: str) -> None:
    """Channel 2 changes its level, in rows that are learned and in rows that are predicted."""
    rows = ROWS.copy()
    rows[1_000:, 2] += 6
    targets = 100 + 10 * rows[:, 0]

    with client.learn(numbers, scoring=EVERYTHING) as stream:
        learned = stream.send(rows[:1_000], targets=targets[:1_000])
        passed = stream.send(rows[1_000:])

    assert learned.scores is not None
    assert isinstance(learned.scores.metrics, NumberMetrics)
    total = learned.scores.metrics.total
    assert total.network.mae < total.running_mean.mae < total.last_value.mae
    assert passed.scores is not None
    assert {2} == {alarm.input_channel for alarm in passed.scores.alarms}
    assert passed.scores.metrics is None
    assert passed.scores.intervals is not None
    assert np.all(passed.scores.intervals.lower <= passed.outputs)
    assert np.all(passed.outputs <= passed.scores.intervals.upper)


def test_a_predicting_stream_is_scored_too(client: Client, network: str) -> None:
    """Scores begin with the stream, and the network stays as it is."""
    with client.learn(network) as stream:
        stream.learn_rows(ROWS[:1_000], KINDS[:1_000])

    with client.learn(network, mode="PREDICT", scoring=Scoring()) as stream:
        result = stream.send(ROWS[1_000:], labels=KINDS[1_000:].tolist())

    assert result.scores is not None
    assert (500, 1_000) == (result.scores.scored_rows, result.scores.since_learned_rows)


def test_late_labels_are_scored_when_they_come(client: Client, network: str) -> None:
    """By what the network says of their rows before it learns them."""
    with client.learn(network, label_horizon_rows=1_000, scoring=Scoring(coverage=0.9)) as stream:
        early = stream.send(ROWS[:100])
        late = stream.submit_targets(early.sequence, KINDS[:100].tolist()).result()

    assert early.scores is not None
    assert late.scores is not None
    assert (0, 100) == (early.scores.scored_rows, late.scores.scored_rows)
    assert isinstance(late.scores.metrics, ClassMetrics)


def test_a_stream_that_asks_for_nothing_is_told_nothing(client: Client, network: str) -> None:
    """Its results are as small as ever."""
    with client.learn(network) as stream:
        result = stream.send(ROWS[:10], labels=KINDS[:10].tolist())

    assert result.scores is None


@pytest.mark.parametrize(
    ("scoring", "field"),
    [
        (Scoring(window_rows=3), "open.scoring.window_rows"),
        (Scoring(coverage=1.5), "open.scoring.intervals.coverage"),
        (Scoring(metrics=False), "open.scoring"),
        (Scoring(drift=(), drift_channels=[4]), "open.scoring.drift.input_channels[0]"),
    ],
)
def test_what_cannot_be_scored_is_refused_by_name(
    client: Client, network: str, scoring: Scoring, field: str
) -> None:
    """The stream does not open, and the error names the field."""
    with pytest.raises(InvalidArgument) as caught, client.learn(network, scoring=scoring):
        pass

    assert [field] == [violation.field for violation in caught.value.violations]
