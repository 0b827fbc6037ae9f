"""Kills in the middle of learning: what clients go on with is, bit for bit, the network."""

from pathlib import Path

import pytest

from tests.soak.run import Terms, soak


@pytest.mark.timeout(400)
def test_learning_goes_on_after_kills_as_if_nothing_had_been(tmp_path: Path) -> None:
    """Through Envoy, with clients that reconnect and clients that leave their session to others.

    In the end each network equals one that learned the same rows in one go, and every row that
    was learned is kept.
    """
    terms = Terms(frames=600, clients=2, kills=3, gap_seconds=0.5)

    report = soak(tmp_path, terms, say=print)

    assert [] == report.problems
    assert 3 == report.kills["kyouko"]
    assert 1200 <= sum(told.frames for told in report.told)


@pytest.mark.timeout(400)
def test_learning_goes_on_after_kills_of_the_journal_too(tmp_path: Path) -> None:
    """With the journal in JetStream, of which the server is killed and started again, too."""
    victims = {"kyouko": 1, "nats": 1}
    terms = Terms(frames=600, clients=2, kills=4, gap_seconds=0.5, victims=victims, seed=2)

    report = soak(tmp_path, terms, say=print, with_nats=True)

    assert [] == report.problems
    assert {"kyouko", "nats"} == report.kills.keys()
