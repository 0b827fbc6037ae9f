"""The learning rule's settings for each kind of task and way of arrival."""

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.structure import Arrival, NetworkStructure, TaskKind
from kyouko.kernels import indices

__all__ = ["choose_settings", "rehearsal_rows"]

_DEFAULT_REHEARSAL_ROWS = 500


def rehearsal_rows(structure: NetworkStructure) -> int:
    """Return how many rows to keep for rehearsal, before the memory limit has its say."""
    chosen = structure.options.rehearsal_rows
    return _DEFAULT_REHEARSAL_ROWS if chosen is None else chosen


def choose_settings(
    structure: NetworkStructure, arrival: Arrival, *, ring_rows: int
) -> npt.NDArray[np.float32]:
    """Return the settings vector that the kernels read.

    Args:
        structure: decides by its kind of output and by whether its populations are local.
        arrival: stored rows come in an order that can be repeated, so averaging over a long
            horizon and skipping easy rows pay; streams drift, so recent rows are rehearsed.
        ring_rows: room for rehearsed rows.

    Returns:
        float32, shape (SETTINGS,), indexed by the names in `kyouko.kernels.indices`.
    """
    classes = structure.output.kind is TaskKind.CLASSES
    streamed = arrival is Arrival.STREAMED
    settings = np.zeros(indices.SETTINGS, np.float32)
    settings[indices.STEP] = 4.0 if classes else 0.7
    settings[indices.STEP_LIMIT] = 1.0
    settings[indices.SKIP] = (0.05 if streamed else 0.1) if classes else 0.0
    settings[indices.LEAK] = 0.05 if streamed or not classes else 0.0
    if classes and not streamed:
        if structure.is_local:
            settings[indices.STEP] = 6.0
        elif structure.channels >= 100:
            # Few rows have been seen while the activity is small: large steps would be noise.
            settings[indices.STEP_LIMIT] = 0.02
    settings[indices.ERROR_SCALED] = 1.0 if classes and not streamed else 0.0
    settings[indices.NOISE_ADAPTED] = 1.0 if streamed or not classes else 0.0
    settings[indices.COMPARE_EVERY] = 4.0 if streamed else 16.0
    settings[indices.SHOW_CHOSEN] = 1.0 if streamed else 0.0
    settings[indices.HORIZON] = 25_000.0
    # The comparison is made on few rows; the average of a long stored task is the safer bet.
    settings[indices.SLOW_TOLERANCE] = 1.0 if streamed else 1.5
    settings[indices.COMPARE_RATE] = 0.02 if streamed else 0.005
    steps = structure.options.rehearsal_steps
    if steps is None:
        steps = 1.0 if streamed else 0.0
    settings[indices.REHEARSAL_STEPS] = steps if ring_rows > 0 else 0.0
    settings[indices.REHEARSE_HARD_ONLY] = 0.0 if streamed else 1.0
    return settings
