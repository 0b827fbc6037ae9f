"""Alarms when the error rises or an input changes, by River's detectors.

River is imported when somebody asks for alarms: it takes about a second and 80 MiB, most of them
scipy.stats.

Sources: Bifet & Gavalda 2007, "Learning from Time-Changing Data with Adaptive Windowing"; Page
1954, "Continuous Inspection Schemes"; Raab, Heusinger & Schleif 2020, "Reactive Soft Prototype
Computing for Concept Drift Streams".
"""

import math
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from kyouko.domain.scoring.options import Detector, DriftOptions
from kyouko.domain.scoring.report import Alarm

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

_GREATEST: Final = float(np.finfo(np.float32).max)
# Rows that a channel's unit is taken from; as many as River's KSWIN needs to begin.
_REFERENCE_ROWS: Final = 100
# How many of these units count at most: ADWIN's bound holds for bounded values.
_FARTHEST: Final = 4.0
# Errors of numbers are compared by their logarithms, of which these are the bounds: what is
# below a millionth of the targets' standard deviation is as good as nothing.
_LEAST_LOSS: Final = 1e-12
_GREATEST_LOSS: Final = 1e6
# Page-Hinkley: changes of the mean below this, in units of the values, are no drift, and the
# sum of those above it that is.
_PH_TOLERANCE: Final = {True: 0.01, False: 0.25}
_PH_THRESHOLD: Final = 50.0
# KSWIN: River tests at every row, at 350 us each. Tests of windows that overlap nearly wholly
# tell little new, so one in ten is made, at the level of the example in its documentation.
_KS_WINDOW: Final = 100
_KS_RECENT: Final = 30
_KS_EVERY: Final = 10
_KS_LEVEL: Final = 0.0001


class _Watch(Protocol):
    """Looks at one number per row."""

    def sees_drift(self, value: float) -> bool:
        """Take in a value, and tell whether it completes a change; begin anew after one."""


class _Adwin:
    def __init__(self, *, only_rises: bool) -> None:
        self._detector: Any = _river().ADWIN()
        self._only_rises = only_rises
        self._sum = 0.0
        self._rows = 0

    def sees_drift(self, value: float) -> bool:
        self._sum += value
        self._rows += 1
        self._detector.update(value)
        if not self._detector.drift_detected:
            return False
        # The detector has dropped what came before the change, and begins anew with the next row.
        mean, self._sum, rows, self._rows = self._sum, 0.0, self._rows, 0
        return not self._only_rises or self._detector.estimation > mean / rows


class _PageHinkley:
    def __init__(self, *, only_rises: bool, is_share: bool) -> None:
        self._detector: Any = _river().PageHinkley(
            delta=_PH_TOLERANCE[is_share],
            threshold=_PH_THRESHOLD,
            mode="up" if only_rises else "both",
        )

    def sees_drift(self, value: float) -> bool:
        self._detector.update(value)
        return bool(self._detector.drift_detected)


class _Kswin:
    def __init__(self, *, only_rises: bool) -> None:
        self._make: Any = _river().KSWIN
        self._only_rises = only_rises
        self._values: deque[float] = deque(maxlen=_KS_WINDOW)
        self._rows = 0

    def sees_drift(self, value: float) -> bool:
        self._values.append(value)
        self._rows += 1
        if self._rows % _KS_EVERY or len(self._values) < _KS_WINDOW:
            return False
        values = list(self._values)
        detector = self._make(
            alpha=_KS_LEVEL,
            window_size=_KS_WINDOW,
            stat_size=_KS_RECENT,
            seed=self._rows,
            window=values[:-1],
        )
        detector.update(value)
        if not detector.drift_detected:
            return False
        before, recent = values[:-_KS_RECENT], values[-_KS_RECENT:]
        self._values = deque(recent, maxlen=_KS_WINDOW)
        rises = math.fsum(recent) / len(recent) > math.fsum(before) / len(before)
        return rises or not self._only_rises


class _InUnits:
    """Hands values on in units of the spread of the first ones since the last alarm.

    Median and quartiles: one huge value among the first must not make all others look alike.
    """

    def __init__(self, watch: _Watch) -> None:
        self._watch = watch
        self._reference: list[float] = []
        self._center = 0.0
        self._unit = 0.0

    def sees_drift(self, value: float) -> bool:
        if len(self._reference) < _REFERENCE_ROWS:
            self._reference.append(value)
            if len(self._reference) == _REFERENCE_ROWS:
                self._center, self._unit = _center_and_unit(self._reference)
            return False
        distance = (value - self._center) / self._unit
        is_drift = self._watch.sees_drift(max(-_FARTHEST, min(distance, _FARTHEST)))
        if is_drift:
            self._reference = []
        return is_drift


def _center_and_unit(values: list[float]) -> tuple[float, float]:
    low, center, high = np.percentile(values, (25, 50, 75)).tolist()
    unit = (high - low) / 1.349 or float(np.std(values))
    # A channel that stood still: any change counts, but for the last digits of float32.
    return center, unit or max(1e-6 * abs(center), 1e-30)


class DriftAlarms:
    """All detectors of a stream."""

    def __init__(self, options: DriftOptions, *, is_classes: bool) -> None:
        """Make the detectors; the first ones of a process import River."""
        self._options = options
        self._is_classes = is_classes
        self._of_error: dict[Detector, _Watch] = {
            detector: _watch(detector, only_rises=True, is_share=is_classes)
            for detector in options.detectors
        }
        self._of_channels: dict[tuple[int, Detector], _Watch] = {}

    def alarms(
        self, inputs: Array | None, loss: Float32 | None, wrong: npt.NDArray[np.bool_] | None
    ) -> tuple[Alarm, ...]:
        """Look at rows, and return what they complete, in the order of the rows.

        Args:
            inputs: shape (rows, channels), NaN are passed over; None for rows seen before.
            loss: of each row; None without targets.
            wrong: whether its label was not predicted (classes).
        """
        found = [] if loss is None else list(self._rises(loss, wrong))
        if inputs is not None:
            found += self._changes(inputs)
        return tuple(sorted(found, key=lambda alarm: alarm.row))

    def _rises(self, loss: Float32, wrong: npt.NDArray[np.bool_] | None) -> Iterable[Alarm]:
        values = loss.astype(np.float64)
        if not self._is_classes:
            values = np.log(np.clip(values, _LEAST_LOSS, _GREATEST_LOSS)) / 2
        for detector, watch in self._of_error.items():
            # Who compares distributions can tell more from the loss than from right and wrong.
            if wrong is None or detector is Detector.KSWIN:
                shown = values.tolist()
            else:
                shown = wrong.astype(np.float64).tolist()
            for row, value in enumerate(shown):
                if watch.sees_drift(value):
                    yield Alarm(row, detector)

    def _changes(self, inputs: Array) -> Iterable[Alarm]:
        width = inputs.shape[1]
        channels = range(width) if self._options.all_channels else self._options.channels
        for channel in channels:
            with np.errstate(over="ignore"):
                values = inputs[:, channel].astype(np.float32).astype(np.float64)
            values = np.clip(values, -_GREATEST, _GREATEST).tolist()
            for detector in self._options.detectors:
                watch = self._of_channel(channel, detector)
                for row, value in enumerate(values):
                    if not math.isnan(value) and watch.sees_drift(value):
                        yield Alarm(row, detector, channel)

    def _of_channel(self, channel: int, detector: Detector) -> _Watch:
        # Channels may be added to a living network, so their detectors are made on the way.
        key = (channel, detector)
        if key not in self._of_channels:
            watch = _watch(detector, only_rises=False, is_share=False)
            is_scale_free = detector is Detector.KSWIN
            self._of_channels[key] = watch if is_scale_free else _InUnits(watch)
        return self._of_channels[key]


def _watch(detector: Detector, *, only_rises: bool, is_share: bool) -> _Watch:
    if detector is Detector.ADWIN:
        return _Adwin(only_rises=only_rises)
    if detector is Detector.PAGE_HINKLEY:
        return _PageHinkley(only_rises=only_rises, is_share=is_share)
    return _Kswin(only_rises=only_rises)


def _river() -> Any:
    from river import drift

    return drift
