"""Streams of few channels, predicted before they are learned, against River's best models.

Defaults only: every stream gets the same flat network and no setting of its own. The engine runs
over five seeds; the peers' own seeds are fixed, and the streams are the same for all.
"""

import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from kyouko.domain.engine import (
    Arrival,
    EngineOptions,
    InputPopulation,
    NetworkStructure,
    OutputPopulation,
    Population,
    TaskKind,
    create_engine,
)
from kyouko.kernels.warmup import warm_up
from tests.bench.mnist import Mnist
from tests.bench.progress import follow
from tests.bench.report import Figure, at_least, at_most
from tests.bench.stream_data import STREAMS, Stream, load
from tests.bench.stream_peers import Found, peers_for, run_peer

_NEURONS: Final = 128
_FRAME_ROWS: Final = 64
_FEW_CHANNELS: Final = 10
_LEAST_ROWS_PER_SECOND: Final = 100_000
_PEER_NOTE: Final = "River, one run with fixed seeds over all rows"


@dataclass(frozen=True)
class Comparison:
    """One stream: the engine's runs, and the peers by name."""

    stream: Stream
    own: list[Found]
    peers: dict[str, Found]

    @property
    def score(self) -> float:
        """The engine's mean."""
        return float(np.mean([run.score for run in self.own]))

    @property
    def best(self) -> str:
        """The best peer's name."""
        sign = 1.0 if self.stream.is_classes else -1.0
        return max(self.peers, key=lambda name: sign * self.peers[name].score)

    @property
    def behind(self) -> float:
        """Points behind the best peer; of mean absolute errors, 5 % count as a point."""
        best = self.peers[self.best].score
        if self.stream.is_classes:
            return best - self.score
        return 20.0 * (self.score / best - 1.0)


def measure(_: Mnist, runs: int) -> list[Figure]:
    """Run the engine over `runs` seeds on each stream, and River's models once."""
    warm_up()
    found = [_compare(load(name), runs) for name in follow(STREAMS, "streams")]
    figures = [figure for item in found for figure in _figures(item)]
    return [*figures, *summarise(found)]


def _compare(stream: Stream, runs: int) -> Comparison:
    own = [run_engine(stream, seed) for seed in range(1, runs + 1)]
    peers = {name: run_peer(make(), stream) for name, make in peers_for(stream).items()}
    return Comparison(stream, own, peers)


def run_engine(stream: Stream, seed: int) -> Found:
    """Predict, score and learn every row by a flat network with nothing but defaults."""
    channels = stream.inputs.shape[1]
    kind = TaskKind.CLASSES if stream.is_classes else TaskKind.NUMBERS
    engine = create_engine(
        NetworkStructure(
            inputs=(InputPopulation("input", channels, (channels, 1, 1), (0.0, 0.0, 0.0)),),
            populations=(Population("hidden", (0.0, 0.0, 1.0), _NEURONS),),
            output=OutputPopulation("output", kind, 0 if stream.is_classes else 1),
            options=EngineOptions(seed=seed),
        )
    )
    total = 0.0
    started = time.process_time()
    for first in range(0, len(stream.inputs), _FRAME_ROWS):
        part = slice(first, first + _FRAME_ROWS)
        scored = engine.learn(stream.inputs[part], stream.targets[part], arrival=Arrival.STREAMED)
        if stream.is_classes:
            total += 100.0 * float(scored.correct.sum())
        else:
            total += float(np.abs(scored.outputs - stream.targets[part]).sum())
    seconds = time.process_time() - started
    return Found(total / len(stream.inputs), len(stream.inputs) / seconds)


def _figures(found: Comparison) -> list[Figure]:
    stream, best = found.stream, found.peers[found.best]
    measured = "accuracy" if stream.is_classes else "error"
    unit = "%" if stream.is_classes else "mean absolute error"
    name = f"streams.{stream.name}"
    # Half a point behind, which of an absolute error is a fortieth.
    goal = at_least(best.score - 0.5) if stream.is_classes else at_most(1.025 * best.score)
    rates = [run.rows_per_second for run in found.own]
    rate = float(np.median(rates))
    figures = [
        Figure(
            f"{name}.{measured}", found.score, unit, f"{found.best}: {best.score:.4g}",
            found.score / best.score, goal=goal, runs=[run.score for run in found.own],
        ),
        Figure(
            f"{name}.learn", rate, "rows/s", f"{found.best}: {best.rows_per_second:,.0f}",
            rate / best.rows_per_second, runs=rates, note="of CPU time, 64 rows a frame",
        ),
    ]  # fmt: skip
    return figures + [
        Figure(
            f"{name}.{peer}.{measured}", item.score, unit,
            f"{item.rows_per_second:,.0f} rows/s", note=_PEER_NOTE,
        )
        for peer, item in found.peers.items()
    ]  # fmt: skip


def summarise(found: list[Comparison]) -> list[Figure]:
    """Return how all streams together compare, with what is demanded."""
    behind = [item.behind for item in found]
    ahead = sum(points <= 0.0 for points in behind)
    rest = [points for points in behind if points > 0.0]
    near = sum(points <= 1.0 for points in rest)
    few = [item for item in found if item.stream.inputs.shape[1] <= _FEW_CHANNELS]
    slowest = min(float(np.median([run.rows_per_second for run in item.own])) for item in few)
    return [
        Figure(
            "streams.at_or_above_the_best", ahead, f"of {len(found)} streams",
            must=at_least(len(found) / 2),
        ),
        Figure(
            "streams.within_a_point_of_it", near, f"of the other {len(rest)}",
            must=at_least(len(rest) / 2), note="a point: 1 % of the rows, or 5 % of the error",
        ),
        Figure("streams.most_behind", max(0.0, *behind), "points", goal=at_most(0.5)),
        Figure(
            "streams.slowest_learn", slowest, "rows/s", must=at_least(_LEAST_ROWS_PER_SECOND),
            note=f"of the streams with up to {_FEW_CHANNELS} channels",
        ),
    ]  # fmt: skip
