"""How the streams are summed up against their peers."""

import numpy as np
import pytest

from tests.bench.report import Figure
from tests.bench.stream_data import Stream
from tests.bench.stream_peers import Found
from tests.bench.streams import Comparison, run_engine, summarise


def compared(own: float, *peers: float, classes: bool = True, channels: int = 3) -> Comparison:
    """A stream on which the engine and some peers reached these scores."""
    inputs = np.zeros((4, channels), np.float32)
    targets = np.zeros(4, np.int32) if classes else np.zeros((4, 1), np.float32)
    return Comparison(
        Stream("stream", inputs, targets),
        [Found(own - 1.0, 150_000.0), Found(own + 1.0, 250_000.0)],
        {f"peer{place}": Found(score, 500.0) for place, score in enumerate(peers)},
    )


def by_name(figures: list[Figure]) -> dict[str, Figure]:
    """The figures by the last part of their names."""
    return {figure.name.rpartition(".")[2]: figure for figure in figures}


def test_points_behind() -> None:
    """Points are percent of the rows, or a twentieth of the best mean absolute error."""
    assert 2.0 == pytest.approx(compared(88.0, 70.0, 90.0).behind)
    assert -3.0 == pytest.approx(compared(93.0, 70.0, 90.0).behind)
    assert 1.0 == pytest.approx(compared(2.1, 2.0, 9.0, classes=False).behind)
    assert "peer1" == compared(0.0, 70.0, 90.0).best
    assert "peer0" == compared(0.0, 2.0, 9.0, classes=False).best


def test_the_demands() -> None:
    """Half of the streams have to be won, half of the rest to be close, all to be fast."""
    won, close, lost = compared(91.0, 90.0), compared(89.5, 90.0), compared(80.0, 90.0)

    good = by_name(summarise([won, won, close, lost]))
    poor = by_name(summarise([won, close, lost, lost]))

    assert all(figure.met for figure in good.values())
    assert 2 == good["at_or_above_the_best"].value
    assert 1 == good["within_a_point_of_it"].value
    assert not good["most_behind"].reached
    assert 10.0 == good["most_behind"].value
    assert not poor["at_or_above_the_best"].met
    assert not poor["within_a_point_of_it"].met


def test_wide_streams_may_be_slower() -> None:
    """The demand on rows a second is one of streams with up to ten channels."""
    slow = [Found(91.0, 9_000.0)]
    wide = Comparison(compared(91.0, channels=11).stream, slow, {"peer": Found(90.0, 1.0)})
    narrow = Comparison(compared(91.0, channels=10).stream, slow, {"peer": Found(90.0, 1.0)})

    assert by_name(summarise([compared(91.0, 90.0), wide]))["slowest_learn"].met
    assert not by_name(summarise([compared(91.0, 90.0), narrow]))["slowest_learn"].met


def test_the_engine_learns_a_stream() -> None:
    """The engine's own run scores every row and counts rows in a second."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(300, 2)).astype(np.float32)
    classes = run_engine(Stream("plane", rows, (rows[:, 0] > 0.0).astype(np.int32)), 1)
    numbers = run_engine(Stream("line", rows, rows[:, :1] * np.float32(3.0)), 1)

    assert 80.0 < classes.score <= 100.0
    assert 0.0 < numbers.score < 1.0
    assert classes.rows_per_second > 0.0
