"""Drift alarms: soon after a change, of the right thing, and rarely without one."""

import numpy as np
import numpy.typing as npt
import pytest

from kyouko.domain.engine import TaskKind
from kyouko.domain.scoring import Detector, DriftOptions, ScoringOptions
from kyouko.domain.scoring.report import Alarm
from tests.unit.kyouko.scoring.builders import score_labels, score_numbers, scorer_of

Float32 = npt.NDArray[np.float32]
CHEAP = [Detector.ADWIN, Detector.PAGE_HINKLEY]


def options(detector: Detector, *channels: int) -> ScoringOptions:
    """Return the options of one detector."""
    return ScoringOptions(drift=DriftOptions((detector,), channels))


def alarms_of_numbers(
    asked: ScoringOptions, targets: Float32, inputs: Float32 | None = None
) -> list[Alarm]:
    """Return the alarms of a stream whose network always says 0; rows are those of the stream."""
    scorer = scorer_of(asked, TaskKind.NUMBERS)
    (report,) = score_numbers(scorer, np.zeros_like(targets), targets, inputs)
    return list(report.alarms)


def noise(rows: int, *, seed: int = 1) -> Float32:
    """Return numbers of one kind."""
    return np.random.default_rng(seed).normal(size=(rows, 1)).astype(np.float32)


@pytest.mark.parametrize("detector", list(Detector))
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_an_error_that_grows_is_told_in_any_unit(detector: Detector, unit: float) -> None:
    """Within 200 rows after the errors have become four times as large."""
    targets = np.concatenate((noise(1500), 4 * noise(500, seed=2)))
    # What the network calls its loss is in units of the target already.
    asked = options(detector)

    alarms = alarms_of_numbers(asked, targets)
    inputs = alarms_of_numbers(
        options(detector, 0), np.zeros((2000, 1), np.float32), 4 * targets * np.float32(unit)
    )

    assert any(1500 <= alarm.row < 1700 for alarm in alarms)
    assert all(alarm.channel is None for alarm in alarms)
    assert all(alarm.channel == 0 for alarm in inputs)


@pytest.mark.parametrize("detector", list(Detector))
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_an_input_whose_level_moves_is_told_in_any_unit(detector: Detector, unit: float) -> None:
    """Within 200 rows, for the channel that moved and no other."""
    still, moving = noise(2000), noise(2000, seed=2)
    moving[1500:] += 2
    inputs = np.hstack((still, moving)) * np.float32(unit) + np.float32(300 * unit)

    alarms = alarms_of_numbers(options(detector, 0, 1), np.zeros((2000, 1), np.float32), inputs)

    assert {1} == {alarm.channel for alarm in alarms}
    assert any(1500 <= alarm.row < 1700 for alarm in alarms)


@pytest.mark.parametrize("detector", list(Detector))
def test_a_stationary_stream_rarely_alarms(detector: Detector) -> None:
    """At most once in 5,000 rows of error and two inputs, one of them skewed."""
    rows = 5000
    inputs = np.hstack((noise(rows, seed=3), np.exp(noise(rows, seed=4) / 2)))

    alarms = alarms_of_numbers(options(detector, 0, 1), noise(rows), inputs)

    assert len(alarms) <= 1


@pytest.mark.parametrize("detector", CHEAP)
def test_wrong_labels_are_told(detector: Detector) -> None:
    """From one wrong label in ten to six: told within 300 rows."""
    random = np.random.default_rng(1)
    truth = (random.random(3000) < np.repeat([0.1, 0.6], [2500, 500])).astype(np.int32)
    outputs = np.tile(np.float32([0.8, 0.2]), (3000, 1))

    (report,) = score_labels(scorer_of(options(detector), TaskKind.CLASSES), outputs, truth)

    assert report.alarms
    assert 2500 <= report.alarms[0].row < 2800


@pytest.mark.parametrize("detector", list(Detector))
def test_an_error_that_falls_is_no_drift(detector: Detector) -> None:
    """A network that gets better gives no alarm."""
    targets = np.concatenate((10 * noise(1000), noise(1000, seed=2)))

    assert [] == alarms_of_numbers(options(detector), targets)


@pytest.mark.parametrize("detector", list(Detector))
def test_missing_and_huge_inputs_are_borne(detector: Detector) -> None:
    """NaN are passed over; one infinity is no drift."""
    inputs = noise(1000)
    inputs[::3] = np.nan
    inputs[50] = np.inf
    inputs[500] = -np.inf

    alarms = alarms_of_numbers(options(detector, 0), np.zeros((1000, 1), np.float32), inputs)

    assert [] == alarms


def test_rows_without_targets_are_watched_for_their_inputs() -> None:
    """Alarms of inputs need no targets, and channels may be added on the way."""
    asked = ScoringOptions(drift=DriftOptions(all_channels=True))
    scorer = scorer_of(asked, TaskKind.NUMBERS, channels=1)
    inputs = np.hstack((noise(1000), noise(1000, seed=2)))
    inputs[600:, 1] += 5
    target = np.zeros((1, 1), np.float32)

    found = []
    for row in range(1000):
        seen = inputs[row : row + 1, : 1 if row < 200 else 2]
        (report,) = score_numbers(scorer, target, target, seen)
        found += [(row, alarm.channel) for alarm in report.alarms]

    assert {1} == {channel for _, channel in found}
    assert 600 < found[0][0] < 700
