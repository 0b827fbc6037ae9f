"""Running errors, and what follows from them: the step's factor, drift alarms, new averages."""

import math

import numpy as np

from kyouko.kernels.compile import hot_part
from kyouko.kernels.events import note_event
from kyouko.kernels.indices import (
    ALARM_LONG,
    ALARM_ROWS,
    ALARM_SHORT,
    ALARMS,
    AVERAGINGS,
    ERROR_SCALED,
    ERROR_SLOW,
    EVENT_DRIFT_ALARM,
    LOSS_FAST,
    LOSS_SLOW,
    NOISE_ADAPTED,
    RESTART_DUE,
    SHOWN_ERROR,
    SHOWN_LOSS,
    SLOW_TOLERANCE,
    STEP_FACTOR,
    STEP_LIMIT,
)

__all__ = ["choose_factor", "choose_limit", "follow_errors", "watch_drift"]


@hot_part
def choose_factor(settings: np.ndarray, meters: np.ndarray) -> float:
    """Return what the running error or noise makes of the step, 0 to 1."""
    factor = 1.0
    if settings[ERROR_SCALED] != 0.0:
        factor = min(max(10.0 * meters[ERROR_SLOW], 0.05), 1.0)
    if settings[NOISE_ADAPTED] != 0.0:
        factor *= meters[STEP_FACTOR]
    return factor


@hot_part
def choose_limit(settings: np.ndarray, meters: np.ndarray) -> float:
    """Return the largest rate: the preset's at first, half of it once the usual error is small.

    Large steps find good weights sooner, and smaller ones then find better ones near by. The usual
    error is the one that the drift alarm watches: an alarm forgets most of its past, so after a
    change of concept the limit is back within some ten rows. Where the whole step follows the error
    the limit does so already.
    """
    limit = float(settings[STEP_LIMIT])
    if settings[ERROR_SCALED] == 0.0:
        limit *= min(max(3.0 * float(meters[ALARM_LONG]), 0.5), 1.0)
    return limit


@hot_part
def follow_errors(
    row_number: int, error: float, shown_loss: float, shown_error: float, meters: np.ndarray
) -> None:
    """Follow the errors of about the last 1,000 rows, and let the noise set the step.

    Args:
        row_number: number of this row, from 1.
        error: of the instantaneous weights, 0 to 1.
        shown_loss: of what was handed out.
        shown_error: likewise.
        meters: see `indices`, advanced.
    """
    meters[ERROR_SLOW] += max(0.001, 1.0 / (row_number + 1)) * (error - meters[ERROR_SLOW])
    rate = max(0.001, 1.0 / row_number)
    meters[SHOWN_LOSS] += rate * (shown_loss - meters[SHOWN_LOSS])
    meters[SHOWN_ERROR] += rate * (shown_error - meters[SHOWN_ERROR])
    if row_number > 100 and row_number % 32 == 0:
        # Averaged weights that do much better mean that the steps are dominated by noise.
        if meters[LOSS_SLOW] < 0.90 * meters[LOSS_FAST]:
            meters[STEP_FACTOR] = max(meters[STEP_FACTOR] * 0.93, 0.05)
        elif meters[LOSS_SLOW] > 0.95 * meters[LOSS_FAST]:
            meters[STEP_FACTOR] = min(meters[STEP_FACTOR] * 1.07, 1.0)


@hot_part
def watch_drift(
    row_number: int,
    error: float,
    settings: np.ndarray,
    counters: np.ndarray,
    events: np.ndarray,
    meters: np.ndarray,
) -> None:
    """Raise an alarm when the error rises more than chance explains.

    The alarm lengthens the step at once. The average starts anew only when the present weights
    prove better than their average within 2,000 rows.

    Args:
        row_number: number of this row, from 1.
        error: of the instantaneous weights, 0 to 1.
        settings: preset of the way of arrival.
        counters: see `indices`, advanced.
        events: ring that an alarm is noted in.
        meters: see `indices`, advanced.

    Source: after Gama et al. 2004, "Learning with Drift Detection".
    """
    counters[ALARM_ROWS] += 1
    number = counters[ALARM_ROWS]
    meters[ALARM_SHORT] += 0.02 * (error - meters[ALARM_SHORT])
    meters[ALARM_LONG] += max(0.001, 1.0 / number) * (error - meters[ALARM_LONG])
    usual = meters[ALARM_LONG]
    variance = max(usual * (1.0 - usual), 1e-4)
    if number > 200 and meters[ALARM_SHORT] > usual + 3.5 * math.sqrt(variance * 0.01):
        counters[ALARMS] += 1
        kind, nothing = np.int64(EVENT_DRIFT_ALARM), np.int64(0)
        note_event(row_number, int(kind), int(nothing - 1), int(nothing), events, counters)
        counters[ALARM_ROWS] = 50
        counters[RESTART_DUE] = 1
        meters[STEP_FACTOR] = max(meters[STEP_FACTOR], 0.5)
    if counters[RESTART_DUE] == 1 and row_number % 32 == 0:
        # Hard rows raise the alarm too; only where the present weights do better than their
        # average did the concept itself move. On the hard stretches of MNIST an unconditional
        # restart costs 0.5 points.
        if meters[LOSS_SLOW] > (settings[SLOW_TOLERANCE] + 0.25) * meters[LOSS_FAST]:
            counters[AVERAGINGS] = 0
            counters[RESTART_DUE] = 0
        elif number > 2000:
            counters[RESTART_DUE] = 0
