"""Who answers beside a network: the members of a mixture, and the settings of each."""

from dataclasses import dataclass
from typing import Final

from kyouko.domain.engine.structure import NetworkStructure, TaskKind

__all__ = [
    "FIRST_TRIAL",
    "MEMBERS",
    "MEMORY",
    "NETWORK",
    "QUICK",
    "RECENT",
    "REFLEX",
    "REVIEW_EVERY",
    "STEADY",
    "Linear",
    "choose_linear",
    "wants_experts",
]

NETWORK: Final = 0  # the network itself
STEADY: Final = 1  # linear, of about the last 500 rows (classes) or 2,000 (numbers)
QUICK: Final = 2  # linear, of about the last 100 or 50 rows
REFLEX: Final = 3  # linear, corrects itself after each row; numbers only
MEMORY: Final = 4  # the nearest of the last 1,000 rows
RECENT: Final = 5  # the nearest of the last 200 rows
MEMBERS: Final = ("network", "steady", "quick", "reflex", "memory", "recent")

REVIEW_EVERY: Final = 256  # rows between two reviews of who sleeps; also the longest frame

FIRST_TRIAL: Final = 2048  # learned rows before which nobody falls asleep

# From here on a row costs the experts more than the network, and neighbours say little.
_MANY_CHANNELS: Final = 100


@dataclass(frozen=True)
class Linear:
    """Settings of a linear expert.

    Attributes:
        forgetting: share of the evidence that stays from row to row.
        most_noise: most labels that it takes for wrong, a share.
    """

    forgetting: float
    most_noise: float


def choose_linear(kind: TaskKind) -> dict[int, Linear]:
    """Return the settings of the two second-order experts."""
    if kind is TaskKind.CLASSES:
        return {STEADY: Linear(0.998, 0.2), QUICK: Linear(0.99, 0.0)}
    return {STEADY: Linear(0.9995, 0.0), QUICK: Linear(0.98, 0.0)}


def wants_experts(structure: NetworkStructure) -> bool:
    """Tell whether a network gets experts: as declared, else if it has few channels."""
    chosen = structure.options.experts
    return structure.channels < _MANY_CHANNELS if chosen is None else chosen
