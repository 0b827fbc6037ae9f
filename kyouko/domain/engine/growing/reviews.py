"""When the coding follows the rows: samples, trials and reviews at fixed numbers of learned rows.

What is decided there is in the kernels `watching`, `trials`, `reviewing` and `pruning`.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.growing.state import NetworkState
from kyouko.domain.engine.structure import NetworkStructure, TaskKind
from kyouko.kernels import indices
from kyouko.kernels.compile import argument_names
from kyouko.kernels.pruning import prune_channels
from kyouko.kernels.reviewing import are_missed, review_bands
from kyouko.kernels.trial_rows import judge_row
from kyouko.kernels.trials import begin_trial, end_trial
from kyouko.kernels.watching import sample_byte_rows, sample_float_rows

__all__ = ["Reviews"]

Array = npt.NDArray[Any]

# Arguments that differ from call to call come first; the rest are the state's arrays by name.
_SAMPLE_SCALARS: Final = 6
_JUDGE_SCALARS: Final = 3
_BEGIN_SCALARS: Final = 1


class Reviews:
    """Calls the kernels of reviews on the arrays of one network."""

    def __init__(self, structure: NetworkStructure, state: NetworkState) -> None:
        """Bind the arrays to the kernels' arguments once; a call then copies nothing."""
        self._state = state
        self._classes = structure.output.kind is TaskKind.CLASSES
        # A spiking neuron sums up what it gets, so a constant part would not fit into its bias.
        self._follows_rows = not structure.is_spiking
        self._sample_arrays = state.pick(argument_names(sample_float_rows)[_SAMPLE_SCALARS:])
        self.judge_arrays = state.pick(argument_names(judge_row)[_JUDGE_SCALARS:])
        self._begin_arrays = state.pick(argument_names(begin_trial)[_BEGIN_SCALARS:])
        self._end_arrays = state.pick(argument_names(end_trial))
        self._missed_arrays = state.pick(argument_names(are_missed))
        self._review_arrays = state.pick(argument_names(review_bands))
        self._prune_arrays = state.pick(argument_names(prune_channels))

    @property
    def is_trial_on(self) -> bool:
        """Whether the next row is part of a trial."""
        return bool(self._state.counters[indices.TRIAL_LEFT] > 0)

    def rows_until_next(self) -> int:
        """Return how many rows may be learned before the next review or end of a trial."""
        total = int(self._state.counters[indices.LEARNED_ROWS])
        rows = min(
            indices.REVIEW_EVERY - total % indices.REVIEW_EVERY,
            indices.PRUNE_EVERY - total % indices.PRUNE_EVERY,
            *(row - total for row in indices.EARLY_REVIEWS if row > total),
        )
        if self._is_any_silent:
            rows = min(rows, indices.MISSED_EVERY - total % indices.MISSED_EVERY)
        if self.is_trial_on:
            # What a number counts as in a trial depends on those sampled before, and no later.
            left = int(self._state.counters[indices.TRIAL_LEFT]) if self._classes else 1
            rows = min(rows, left)
        return rows

    def prepare(self, chunk: Array, learned: int) -> None:
        """Measure rows that are about to be learned; their targets are in their slots already.

        Args:
            chunk: uint8 or float32, shape (rows, channels).
            learned: rows since the newest channels came.
        """
        state = self._state
        ring = state.ring_rows
        if learned >= indices.START_ROWS and self._follows_rows:
            sample_rows = sample_byte_rows if chunk.dtype == np.uint8 else sample_float_rows
            sample_rows(
                chunk, len(chunk), ring, self._classes, state.list_label, state.list_target,
                *self._sample_arrays,
            )  # fmt: skip

    def review(self, learned: int, *, on_trial: bool) -> None:
        """Let the coding follow the rows, if it is time.

        Args:
            learned: rows since the newest channels came.
            on_trial: whether the newest rows were part of a trial.
        """
        total = int(self._state.counters[indices.LEARNED_ROWS])
        if on_trial and not self.is_trial_on:
            end_trial(*self._end_arrays)
        due = total in indices.EARLY_REVIEWS or total % indices.REVIEW_EVERY == 0
        if total % indices.MISSED_EVERY == 0 and self._is_any_silent:
            due |= are_missed(*self._missed_arrays)
        due = learned == indices.START_ROWS or (due and learned > indices.START_ROWS)
        if due and self._follows_rows:
            # The review starts new measurements, so suspects are named before.
            begin_trial(self._classes, *self._begin_arrays)
            review_bands(*self._review_arrays)
        if total % indices.PRUNE_EVERY == 0:
            prune_channels(*self._prune_arrays)
            self.forget_lost_rows()

    @property
    def _is_any_silent(self) -> bool:
        """Whether channels fell silent, so that it matters if they are missed."""
        return bool(self._state.meters[indices.QUIET_ERROR] > 0.0)

    def forget_lost_rows(self) -> None:
        """Clear the traces of weight rows that a review has taken back."""
        state = self._state
        state.trace_drive[state.row_used[state.trace_row] == 0] = 0.0
