"""Scorers that wait for their session to be taken up again."""

from dataclasses import replace

from kyouko.domain.engine import TaskKind
from kyouko.domain.scoring import ScoringOptions, StreamScorer
from kyouko.domain.streams.scorers import Scorers
from tests.unit.kyouko.scoring.builders import ALL_PARTS, scorer_of

KEY = b"k" * 16


def scorer(options: ScoringOptions = ALL_PARTS) -> StreamScorer:
    """Return a scorer of a small network of classes."""
    return scorer_of(options, TaskKind.CLASSES)


def test_a_session_finds_its_scorer() -> None:
    """Of its network, its own, and only for the same wishes."""
    scorers, one = Scorers(), scorer()
    scorers.keep("net", KEY, ALL_PARTS, one)

    assert one is scorers.find("net", KEY, ALL_PARTS)
    assert scorers.find("net", KEY, replace(ALL_PARTS, coverage=0.9)) is None
    assert scorers.find("net", b"o" * 16, ALL_PARTS) is None
    assert scorers.find("other", KEY, ALL_PARTS) is None


def test_the_one_used_longest_ago_goes() -> None:
    """Beyond the memory for all of them; one is kept in any case."""
    many, single = scorer(), scorer(replace(ALL_PARTS, window_rows=100_000))
    scorers = Scorers(most_bytes=3 * many.most_bytes)
    keys = [bytes([number]) * 16 for number in range(4)]
    for key in keys[:3]:
        scorers.keep("net", key, ALL_PARTS, scorer())
    scorers.keep("net", keys[0], ALL_PARTS, many)
    scorers.keep("net", keys[3], ALL_PARTS, scorer())

    found = [scorers.find("net", key, ALL_PARTS) is not None for key in keys]
    scorers.keep("net", KEY, ALL_PARTS, single)
    left = [scorers.find("net", key, ALL_PARTS) is not None for key in [*keys, KEY]]

    assert [True, False, True, True] == found
    assert [False, False, False, False, True] == left


def test_a_deleted_network_takes_its_scorers_along() -> None:
    """Those of other networks stay."""
    scorers = Scorers()
    for uid in ("net", "other"):
        scorers.keep(uid, KEY, ALL_PARTS, scorer())

    scorers.forget("net")

    assert scorers.find("net", KEY, ALL_PARTS) is None
    assert scorers.find("other", KEY, ALL_PARTS) is not None
