"""Time series made by formulas; the same seed gives the same rows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]

SHAPE_STEPS = 12
_SHAPE = np.array([0.0, 0.9, 0.4, -0.6, -1.0, 0.3, 1.0, 0.7, -0.3, -0.8, 0.5, -0.1])
_SHAPE_CHANCE = 0.176
_LONGEST_PAUSE = 3
_NOISE = 0.2
_TAU = 17


@dataclass(frozen=True)
class Series:
    """One channel over time, and what is to be said at each row.

    Attributes:
        inputs: float32, shape (rows, 1), raw.
        targets: float32, shape (rows, 1), numbers; or int32, shape (rows,), classes.
    """

    inputs: Float32
    targets: npt.NDArray[np.float32] | Int32

    @property
    def is_classes(self) -> bool:
        """Whether the targets are classes."""
        return self.targets.ndim == 1


def mackey_glass(rows: int, ahead: int, *, seed: int = 1) -> Series:
    """Values of the Mackey-Glass equation once a unit of time, and the value `ahead` units later.

    dx/dt = 0.2 x(t-17) / (1 + x(t-17)^10) - 0.1 x, integrated by Runge-Kutta in steps of 0.1 after
    300 units of start-up, then x * 37 + 500.

    Source: Mackey & Glass 1977, "Oscillation and Chaos in Physiological Control Systems".
    """
    per_unit = 10
    lag = _TAU * per_unit
    start = 300 * per_unit
    steps = start + (rows + ahead) * per_unit
    x = np.empty(lag + steps + 1)
    x[: lag + 1] = 1.2 + 0.2 * (np.random.default_rng(seed).random(lag + 1) - 0.5)
    width = 1.0 / per_unit
    for now in range(lag, lag + steps):
        before, after = x[now - lag], x[now - lag + 1]
        drive_before = 0.2 * before / (1.0 + before**10)
        drive_after = 0.2 * after / (1.0 + after**10)
        drive_between = (drive_before + drive_after) / 2
        k1 = drive_before - 0.1 * x[now]
        k2 = drive_between - 0.1 * (x[now] + width / 2 * k1)
        k3 = drive_between - 0.1 * (x[now] + width / 2 * k2)
        k4 = drive_after - 0.1 * (x[now] + width * k3)
        x[now + 1] = x[now] + width / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    values = (x[lag + start :: per_unit][: rows + ahead] * 37 + 500).astype(np.float32)
    return Series(values[:rows, None], values[ahead : ahead + rows, None])


def hidden_shape(rows: int, *, seed: int = 1) -> Series:
    """A shape of 12 steps to be told at its last one from the same values in any other order.

    Pieces of 12 rows follow one another with pauses of up to three rows of random values between
    them; about one in six is the shape, the others hold its values shuffled. Noise is added
    to all, then values are * 1000 + 12345. Class 1 at the last step of the shape (1.3 % of the
    rows), else 0: only the order of the values tells, so no single value or mean does.
    """
    random = np.random.default_rng(seed)
    values: list[float] = []
    labels: list[int] = []
    while len(values) < rows:
        is_shape = random.random() < _SHAPE_CHANCE
        values += (_SHAPE if is_shape else random.permutation(_SHAPE)).tolist()
        labels += [0] * (SHAPE_STEPS - 1) + [int(is_shape)]
        pause = int(random.integers(0, _LONGEST_PAUSE + 1))
        values += random.choice(_SHAPE, pause).tolist()
        labels += [0] * pause
    signal = np.array(values[:rows]) + random.normal(0.0, _NOISE, rows)
    return Series(
        (signal * 1000 + 12345).astype(np.float32)[:, None],
        np.array(labels[:rows], np.int32),
    )
