"""The demo's figures, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

_BAR_CELLS = 40

# Where the learning curve is cut, in rows: narrow where the network changes fast.
_CURVE_ROWS = (0, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 40_000, 60_000)


@dataclass(frozen=True)
class CurvePoint:
    """The share of rows predicted right in one run of rows, before they were learned."""

    first_row: int
    last_row: int
    accuracy: float


@dataclass(frozen=True)
class Figures:
    """How one network did.

    Attributes:
        network: its name.
        test_accuracy: share of unseen rows predicted right.
        learned_rows: rows learned, over all epochs.
        learn_seconds: time they took, from the first row to the last answer.
        predicted_rows: unseen rows predicted.
        predict_seconds: time they took.
        connections_before: connections of the fresh network.
        connections_after: connections after learning.
        neurons: neurons grown.
        engine_seconds: of `learn_seconds`, the time in the network itself;
            `None` when it is not known.
        curve: accuracy before learning, over the rows of the first epoch.
    """

    network: str
    test_accuracy: float
    learned_rows: int
    learn_seconds: float
    predicted_rows: int
    predict_seconds: float
    connections_before: int
    connections_after: int
    neurons: int
    engine_seconds: float | None = None
    curve: tuple[CurvePoint, ...] = field(default=())

    @property
    def learn_rows_per_second(self) -> float:
        """Rows learned a second, through the mesh."""
        return self.learned_rows / self.learn_seconds

    @property
    def predict_rows_per_second(self) -> float:
        """Rows predicted a second, through the mesh."""
        return self.predicted_rows / self.predict_seconds

    def as_json(self) -> dict[str, Any]:
        """Return the figures for programs."""
        return {
            **asdict(self),
            "learn_rows_per_second": self.learn_rows_per_second,
            "predict_rows_per_second": self.predict_rows_per_second,
        }


def cut_curve(counts: Sequence[tuple[int, int]]) -> tuple[CurvePoint, ...]:
    """Turn answers in order into a learning curve.

    Args:
        counts: rows and rows predicted right, for each answer.
    """
    points: list[CurvePoint] = []
    first, seen, right = 0, 0, 0
    edges = iter(_CURVE_ROWS[1:])
    edge = next(edges)
    for rows, correct in counts:
        seen += rows
        right += correct
        if seen >= edge:
            points.append(CurvePoint(first, seen, right / (seen - first)))
            first, right = seen, 0
            while edge <= seen:
                edge = next(edges, 2**62)
    if seen > first:
        points.append(CurvePoint(first, seen, right / (seen - first)))
    return tuple(points)


def draw_curve(curve: Sequence[CurvePoint]) -> str:
    """Draw a learning curve as text, a bar for each run of rows."""
    lines = ["      rows   predicted right before they were learned"]
    for point in curve:
        cells = round(point.accuracy * _BAR_CELLS)
        bar = "█" * cells + "·" * (_BAR_CELLS - cells)
        lines.append(f"{point.last_row:>10,}   {bar} {point.accuracy:7.2%}")
    return "\n".join(lines)


def draw_table(task: Figures, stream: Figures) -> str:
    """Draw both networks' figures side by side."""
    rows = [
        ("", "task over the data set", "stream of frames"),
        ("test accuracy", f"{task.test_accuracy:.2%}", f"{stream.test_accuracy:.2%}"),
        (
            "learned rows/s through the mesh",
            f"{task.learn_rows_per_second:,.0f}",
            f"{stream.learn_rows_per_second:,.0f}",
        ),
        ("learning took", f"{task.learn_seconds:.2f} s", f"{stream.learn_seconds:.2f} s"),
        ("predicting took", f"{task.predict_seconds:.2f} s", f"{stream.predict_seconds:.2f} s"),
        (
            "connections before",
            f"{task.connections_before:,}",
            f"{stream.connections_before:,}",
        ),
        ("connections after", f"{task.connections_after:,}", f"{stream.connections_after:,}"),
        ("neurons grown", f"{task.neurons:,}", f"{stream.neurons:,}"),
    ]
    return "\n".join(f"{name:<32}{left:>24}{right:>20}" for name, left, right in rows)
