"""The learning rule's settings for each kind of task and way of arrival."""

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine.structure import Arrival, NetworkStructure, TaskKind
from kyouko.kernels import indices

__all__ = ["choose_settings", "rehearsal_rows"]

_DEFAULT_REHEARSAL_ROWS = 500
_MANY_CHANNELS = 100


def rehearsal_rows(structure: NetworkStructure) -> int:
    """Return how many rows to keep for rehearsal, before the memory limit has its say."""
    if structure.is_spiking:
        return 0  # what a row meant depended on those before it
    chosen = structure.options.rehearsal_rows
    return _DEFAULT_REHEARSAL_ROWS if chosen is None else chosen


def choose_settings(
    structure: NetworkStructure, arrival: Arrival, *, ring_rows: int
) -> npt.NDArray[np.float32]:
    """Return the settings vector that the kernels read.

    Args:
        structure: decides by its kind of output and by whether its populations are local.
        arrival: stored rows can be asked again, so the averaged weights are preferred and nothing
            is rehearsed by default; streams drift, so recent rows are rehearsed.
        ring_rows: room for rehearsed rows.

    Returns:
        float32, shape (SETTINGS,), indexed by the names in `kyouko.kernels.indices`.
    """
    classes = structure.output.kind is TaskKind.CLASSES
    streamed = arrival is Arrival.STREAMED
    # Stored rows with many channels, above all pictures: most rows become easy, so no noise
    # shortens the step, and dead neurons cost nothing. A few channels hold noisy concepts as
    # streams do: there these settings lose up to ten points.
    wide = structure.channels >= _MANY_CHANNELS
    sparse = classes and not streamed and wide
    settings = np.zeros(indices.SETTINGS, np.float32)
    settings[indices.STEP] = (4.0 if wide else 2.0) if classes else 0.7
    settings[indices.STEP_LIMIT] = 1.0
    settings[indices.SKIP] = (0.1 if sparse else 0.05) if classes else 0.0
    # With no slope at all below zero, early large steps silenced whole small networks for ever.
    settings[indices.LEAK] = 0.01 if sparse else 0.05
    if sparse:
        # While few channels have been seen the activity is small, and large steps are noise.
        settings[indices.STEP_LIMIT] = 0.05
        if structure.is_local:
            settings[indices.STEP] = 6.0
    # Local populations settle better with steps that follow the error; flat ones learn less from
    # further passes with it (0.1 points after ten), and as much from the first.
    settings[indices.ERROR_SCALED] = 1.0 if sparse and structure.is_local else 0.0
    settings[indices.NOISE_ADAPTED] = 0.0 if sparse else 1.0
    settings[indices.COMPARE_EVERY] = 16.0 if sparse else 4.0
    settings[indices.COMPARE_RATE] = 0.005 if sparse else 0.02
    settings[indices.SHOW_CHOSEN] = 1.0 if streamed else 0.0
    settings[indices.HORIZON] = 25_000.0
    steps = structure.options.rehearsal_steps
    if steps is None:
        # Short rows are cheap enough to be learned several times, and few streams teach no more.
        # Whoever asks a stored task to keep rows wants them to be used.
        asked = 3.0 if structure.options.rehearsal_rows else 0.0
        steps = (1.0 if wide else 3.0) if streamed else asked
    settings[indices.REHEARSAL_STEPS] = steps if ring_rows > 0 else 0.0
    balanced = classes and not streamed
    settings[indices.REHEARSE_BALANCED] = 1.0 if balanced else 0.0
    # The comparison is made on few rows; the average of a long stored task is the safer bet. Even
    # more so if rows may come class by class: the newest ones say nothing about the others.
    settings[indices.SLOW_TOLERANCE] = 1.0 if streamed else 1.5
    if balanced and settings[indices.REHEARSAL_STEPS] > 0.0:
        settings[indices.SLOW_TOLERANCE] = 3.0
    return settings
