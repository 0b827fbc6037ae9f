"""How a network stands beside naive baselines, and the words for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hanami_sdk.scoring import ClassComparison, NumberComparison


@dataclass(frozen=True)
class Standing:
    """A network beside naive baselines on the same rows.

    Attributes:
        measure: `accuracy`, or `error` (the mean absolute one).
        rows: how many rows that is about.
        baselines: what comes of always saying the same, by name.
    """

    measure: str
    rows: int
    network: float
    baselines: dict[str, float]

    @property
    def baseline(self) -> tuple[str, float]:
        """The best baseline."""
        choose = max if self.measure == "accuracy" else min
        name = choose(self.baselines, key=lambda each: self.baselines[each])
        return name, self.baselines[name]


def compared(standing: Standing) -> str:
    """Return a network beside the best baseline, in words."""
    name, value = standing.baseline
    return (
        f"{standing.measure} {figure(standing, standing.network)} "
        f"({name} {figure(standing, value)}) over {standing.rows:,} rows"
    )


def figure(standing: Standing, value: float) -> str:
    """Return a value in the standing's measure."""
    return f"{value:.1%}" if standing.measure == "accuracy" else f"{value:.4g}"


def standing_of(comparison: ClassComparison | NumberComparison) -> Standing | None:
    """Return what the server says of rows; `None` before the first scored one."""
    from hanami_sdk.scoring import ClassComparison

    if not comparison.rows:
        return None
    if isinstance(comparison, ClassComparison):
        return Standing(
            "accuracy",
            comparison.rows,
            comparison.network.accuracy,
            {
                "majority class": comparison.majority_class.accuracy,
                "last class": comparison.last_class.accuracy,
            },
        )
    return Standing(
        "error",
        comparison.rows,
        comparison.network.mae,
        {"last value": comparison.last_value.mae, "running mean": comparison.running_mean.mae},
    )


def standing_json(standing: Standing | None) -> dict[str, Any] | None:
    """Return a standing for programs."""
    if standing is None:
        return None
    values = {"network": standing.network, **standing.baselines}
    finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
    return {"measure": standing.measure, "rows": standing.rows, **finite}
