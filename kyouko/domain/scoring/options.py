"""What a stream asks to be told about its rows."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DEFAULT_WINDOW_ROWS: Final = 1000
LEAST_WINDOW_ROWS: Final = 16
DEFAULT_COVERAGE: Final = 0.9
# What `all_channels` and a list of channels may come to.
MOST_CHANNELS: Final = 256


class Detector(StrEnum):
    """Who looks for changes; River's detector of that name."""

    ADWIN = "ADWIN"
    PAGE_HINKLEY = "PAGE_HINKLEY"
    KSWIN = "KSWIN"


@dataclass(frozen=True)
class DriftOptions:
    """Which changes to report.

    Attributes:
        detectors: each watches the error and all of the channels.
        channels: input channels to watch, from 0.
        all_channels: watch every one instead.
    """

    detectors: tuple[Detector, ...] = (Detector.ADWIN,)
    channels: tuple[int, ...] = ()
    all_channels: bool = False


@dataclass(frozen=True)
class AnomalyOptions:
    """How to report unusual errors.

    Attributes:
        threshold: rows with at least this score come with the outputs that were most wrong.
        most_contributions: how many of these.
    """

    threshold: float = 0.99
    most_contributions: int = 3


@dataclass(frozen=True)
class ScoringOptions:
    """What to report; a part that is None or False costs nothing.

    Attributes:
        window_rows: how far back windowed figures, anomaly scores and intervals look; 0 for 1,000,
            or as many as fit into the memory of a stream.
        coverage: the share of rows whose truth is to lie within the intervals; None for none.
    """

    window_rows: int = 0
    metrics: bool = False
    drift: DriftOptions | None = None
    anomaly: AnomalyOptions | None = None
    coverage: float | None = None
