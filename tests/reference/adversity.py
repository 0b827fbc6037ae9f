"""Streams that nobody would send on purpose, and a run that looks at an engine all the way.

The laws run some of it, `python -m tests.bench adversarial` a million rows. Not a measure of
accuracy: nothing can be learned from these rows but how to survive them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine import (
    Arrival,
    Engine,
    EngineOptions,
    InputPopulation,
    NetworkKind,
    NetworkStructure,
    Organisation,
    TaskKind,
    create_engine,
)
from tests.reference.structures import bricks, delayed, far, flat, local, spiking

Float32 = npt.NDArray[np.float32]
Random = np.random.Generator

MOST_FRAME_ROWS = 300
LABELS = 12
ADDED_CHANNELS = 3

# What engines keep of raw rows; there NaN and infinities stay what they are.
RAW_ARRAYS = ("start_values", "list_value", "ring_values", "past_values", "rows", "recent_rows")

_GREATEST = float(np.finfo(np.float32).max)


def plain(rows: Float32, random: Random) -> Float32:
    """Leave the rows as they are."""
    return rows


def scaled(rows: Float32, random: Random) -> Float32:
    """Give every channel a scale between 1e-30 and 1e30."""
    return _floats(rows * 10.0 ** random.uniform(-30.0, 30.0, rows.shape[1]))


def shifted(rows: Float32, random: Random) -> Float32:
    """Move every channel far away from where it was."""
    return _floats(rows + 10.0 ** random.uniform(-3.0, 9.0, rows.shape[1]))


def jumping(rows: Float32, random: Random) -> Float32:
    """Multiply everything by a million from some row on."""
    factors = np.where(np.arange(len(rows)) < random.integers(0, len(rows) + 1), 1.0, 1e6)
    return _floats(rows * factors[:, None])


def drifting(rows: Float32, random: Random) -> Float32:
    """Let all channels wander off."""
    return _floats(rows + random.uniform(-50.0, 50.0) * np.arange(len(rows))[:, None])


def constant(rows: Float32, random: Random) -> Float32:
    """Repeat one row."""
    return np.repeat(rows[:1], len(rows), axis=0)


def subnormal(rows: Float32, random: Random) -> Float32:
    """Shrink everything to where float32 loses its digits."""
    return _floats(rows * 1e-42)


def gigantic(rows: Float32, random: Random) -> Float32:
    """Use both ends of what float32 can hold."""
    return _floats(np.where(random.random(rows.shape) < 0.5, -_GREATEST, _GREATEST))


def beyond(rows: Float32, random: Random) -> Float32:
    """Use 1e308, which is infinite as float32."""
    return _floats(np.sign(rows.astype(np.float64)) * 1e308)


def missing(rows: Float32, random: Random) -> Float32:
    """Send rows without any value."""
    return np.full_like(rows, np.nan)


def gappy(rows: Float32, random: Random) -> Float32:
    """Replace a tenth of the values by NaN, infinities, zeros and outliers."""
    odd = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e6, -1e30, 1e-45], np.float32)
    chosen = random.choice(odd, rows.shape)
    return np.where(random.random(rows.shape) < 0.1, chosen, rows).astype(np.float32)


def blank(rows: Float32, random: Random) -> Float32:
    """Send zeros only."""
    return np.zeros_like(rows)


HARDSHIPS: tuple[Callable[[Float32, Random], Float32], ...] = (
    plain, scaled, shifted, jumping, drifting, constant, subnormal, gigantic, beyond, missing,
    gappy, blank,
)  # fmt: skip


def adverse_rows(rows: int, channels: int, random: Random) -> npt.NDArray[np.generic]:
    """Return rows under a hardship drawn at random, now and then as bytes.

    Returns:
        uint8 or float32, shape (rows, channels).
    """
    made = random.normal(size=(rows, channels)).astype(np.float32)
    made *= random.random(made.shape) < 0.4
    if random.random() < 0.15:
        grey: npt.NDArray[np.uint8] = np.clip(made * 100.0, 0.0, 255.0).astype(np.uint8)
        return grey
    if rows == 0:
        return made
    hardship = HARDSHIPS[int(random.integers(len(HARDSHIPS)))]
    return hardship(made, random)


def adverse_targets(
    rows: int, structure: NetworkStructure, random: Random
) -> npt.NDArray[np.generic]:
    """Return labels of which new ones keep coming, or numbers of any size."""
    if structure.output.kind is TaskKind.CLASSES:
        most = min(structure.output.size or LABELS, int(random.integers(1, LABELS + 1)))
        return random.integers(0, most, rows).astype(np.int32)
    size = 10.0 ** random.uniform(-30.0, 30.0) if random.random() < 0.3 else 1.0
    return _floats(random.normal(size=(rows, structure.output.size)) * size)


@dataclass
class Trial:
    """One engine under hardship, and what was seen of it.

    Attributes:
        structure: what to build.
        seed: of the rows.
        engine: after `run`, the engine.
        most_bytes: the most that it said it holds.
        rows: learned so far.
        widenings: times that the rows became wider.
    """

    structure: NetworkStructure
    seed: int
    engine: Engine
    most_bytes: int = 0
    rows: int = 0
    widenings: int = 0

    @classmethod
    def of(cls, structure: NetworkStructure, *, seed: int) -> "Trial":
        """Create the engine."""
        return cls(structure, seed, create_engine(structure))

    def run(self, rows: int, *, most_widenings: int = 2) -> Iterator[int]:
        """Learn frames under changing hardships and yield the rows learned so far.

        Raises:
            AssertionError: as soon as something that must be finite or bounded is not.
        """
        random = np.random.default_rng(self.seed)
        arrivals = tuple(Arrival)
        first = np.full((1, self.engine.channels), np.nan, np.float32)
        self._learn(first, adverse_targets(1, self.structure, random), Arrival.STREAMED)
        while self.rows < rows:
            if random.random() < 2.0 * most_widenings / (rows / MOST_FRAME_ROWS + 1.0):
                self._widen(most_widenings)
            count = int(random.integers(0, MOST_FRAME_ROWS)) if random.random() < 0.8 else 1
            inputs = adverse_rows(count, self.engine.channels, random)
            targets = adverse_targets(count, self.structure, random)
            self._learn(inputs, targets, arrivals[int(random.random() < 0.5)])
            yield self.rows

    def _widen(self, most: int) -> None:
        if self.widenings >= most:
            return
        self.widenings += 1
        name = f"added {self.widenings}"
        self.engine.add_channels(
            InputPopulation(name, ADDED_CHANNELS, (ADDED_CHANNELS, 1, 1), (0.0, 0.0, 0.0))
        )

    def _learn(
        self, inputs: npt.NDArray[np.generic], targets: npt.NDArray[np.generic], arrival: Arrival
    ) -> None:
        scored = self.engine.learn(inputs, targets, arrival=arrival)
        self.rows += len(inputs)
        assert np.isfinite(scored.outputs).all()
        assert np.isfinite(scored.loss).all()
        assert np.isfinite(self.engine.predict(inputs[:5])).all()
        statistics = self.engine.statistics()
        self.most_bytes = max(self.most_bytes, statistics.memory_bytes)
        assert statistics.memory_bytes <= statistics.memory_limit_bytes
        assert np.isfinite([statistics.running_loss, statistics.running_error]).all()

    def check_state(self) -> None:
        """Look at every number of the state.

        Raises:
            AssertionError: if one that is not a raw value is not finite.
        """
        arrays = self.engine.export_state().arrays
        broken = [
            name
            for name, array in arrays.items()
            if array.dtype.kind == "f"
            and name.rpartition("/")[2] not in RAW_ARRAYS
            and not np.isfinite(array).all()
        ]
        assert [] == broken, f"not finite: {broken}"


def adverse_structures(memory_limit_bytes: int) -> dict[str, NetworkStructure]:
    """Return one network of each kind, by name."""
    options = EngineOptions(memory_limit_bytes=memory_limit_bytes)
    experts = replace(options, experts=True)
    numbers = flat(10, 32, kind=TaskKind.NUMBERS, size=2, options=options)
    table, wide = flat(6, 32, options=options), flat(144, 32, options=options)
    return {
        "flat": wide,
        "local": local(options=options),
        "fixed classes": flat(6, 32, size=LABELS, options=options),
        "numbers": numbers,
        "one channel": flat(1, 8, options=options),
        "bricks": bricks(options=options),
        "long connections": far(options=options),
        "experts": replace(table, options=experts),
        "experts for numbers": replace(numbers, options=experts),
        "delays": delayed(replace(table, options=experts), 1, 2, 5),
        "organised": replace(wide, organisation=Organisation(4, 16, 40, 300)),
        "spiking": spiking(6, options=options),
        "spiking numbers": spiking(10, kind=TaskKind.NUMBERS, size=2, options=options),
        "static": replace(table, kind=NetworkKind.STATIC),
        "static numbers": replace(numbers, kind=NetworkKind.STATIC),
    }


def _floats(values: npt.NDArray[np.floating]) -> Float32:
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return values.astype(np.float32)
