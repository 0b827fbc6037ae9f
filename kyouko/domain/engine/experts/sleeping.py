"""Experts that hardly take part in the answers fall asleep, and are tried again now and then."""

from typing import Final

from kyouko.domain.engine.experts.members import MEMBERS, NETWORK, REFLEX
from kyouko.domain.engine.experts.state import ExpertState
from kyouko.domain.engine.structure import TaskKind

__all__ = ["MOST_NAPS", "list_experts", "review"]

_LEAST_SHARE: Final = 0.02
_TRIAL_ROWS: Final = 1024
_FIRST_NAP_ROWS: Final = 4096
MOST_NAPS: Final = 5  # naps after which they grow no longer: 65,536 rows


def list_experts(kind: TaskKind) -> tuple[int, ...]:
    """Return the members that such a network has beside itself."""
    members = range(NETWORK + 1, len(MEMBERS))
    return tuple(item for item in members if item != REFLEX or kind is TaskKind.NUMBERS)


def review(state: ExpertState, kind: TaskKind) -> None:
    """Send members to sleep that hardly matter, and wake those whose nap is over.

    A sleeper neither answers nor learns, and costs nothing; rows are still kept for the memory.
    Each nap is twice as long as the one before.
    """
    learned = int(state.counters[0])
    for member in list_experts(kind):
        if learned < state.turn_at[member]:
            continue
        if state.awake[member] == 0:
            state.awake[member] = 1
            state.turn_at[member] = learned + _TRIAL_ROWS
        elif state.share[member] < _LEAST_SHARE:
            state.awake[member] = 0
            state.share[member] = 0.0
            state.turn_at[member] = learned + (_FIRST_NAP_ROWS << int(state.naps[member]))
            state.naps[member] = min(int(state.naps[member]) + 1, MOST_NAPS - 1)
        else:
            state.naps[member] = 0
