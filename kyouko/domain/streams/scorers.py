"""Scorers of sessions: who goes on with a session goes on with its scores.

They live in the process, not in the journal: after a new start scores begin anew, and say so
(`ScoreReport.since_learned_rows`).
"""

from collections import OrderedDict
from typing import Final, NamedTuple

from kyouko.domain.scoring import ScoringOptions, StreamScorer

_MOST_BYTES: Final = 256 * 2**20


class _Kept(NamedTuple):
    options: ScoringOptions
    scorer: StreamScorer


class Scorers:
    """Remembers scorers; when they take too much memory, the one used longest ago goes.

    A scorer works in its network's turn only, so a stream that takes a session over may
    have it while the one before still waits for its last answer.
    """

    def __init__(self, *, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[str, bytes], _Kept] = OrderedDict()

    def find(self, uid: str, key: bytes, options: ScoringOptions) -> StreamScorer | None:
        """Return the scorer of a network's session, if it was to report the same, and can."""
        kept = self._kept.get((uid, key))
        if kept is None or kept.options != options or kept.scorer.has_failed:
            return None
        return kept.scorer

    def keep(self, uid: str, key: bytes, options: ScoringOptions, scorer: StreamScorer) -> None:
        """Remember the scorer of a session."""
        self._kept[uid, key] = _Kept(options, scorer)
        self._kept.move_to_end((uid, key))
        taken = sum(kept.scorer.most_bytes for kept in self._kept.values())
        while taken > self._most_bytes and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            taken -= oldest.scorer.most_bytes

    def forget(self, uid: str) -> None:
        """Forget the scorers of a network."""
        for place in [place for place in self._kept if place[0] == uid]:
            del self._kept[place]
