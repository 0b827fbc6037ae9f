"""What a pipeline does, as its user declares it; no rows, no state.

The engine's structure holds these options, so this module knows nothing of the engine.
"""

import enum
from dataclasses import dataclass

__all__ = [
    "Calendar",
    "ChannelRule",
    "Forecast",
    "LatePolicy",
    "Lateness",
    "MissingPolicy",
    "PipelineOptions",
    "Reconstruction",
]


class MissingPolicy(enum.Enum):
    """What becomes of a value that is missing, infinite or stuck."""

    LEARN = "learn"
    HOLD = "hold"
    SKIP = "skip"
    REJECT = "reject"


class LatePolicy(enum.Enum):
    """What becomes of a row that comes too late."""

    SKIP = "skip"
    REJECT = "reject"


@dataclass(frozen=True)
class Forecast:
    """The network learns what some channels will be.

    Attributes:
        horizon: rows ahead, at least 1.
        channels: references to raw channels; empty means all.
    """

    horizon: int = 1
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reconstruction:
    """The network learns to say a row again.

    Attributes:
        channels: references to raw channels; empty means all.
    """

    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calendar:
    """Each chosen cycle enters as the sine and cosine of its phase.

    Attributes:
        time_zone: `UTC` or an IANA name.
    """

    hour_of_day: bool = True
    day_of_week: bool = True
    day_of_year: bool = True
    time_zone: str = "UTC"

    @property
    def cycles(self) -> int:
        """How many cycles are chosen."""
        return self.hour_of_day + self.day_of_week + self.day_of_year


@dataclass(frozen=True)
class ChannelRule:
    """What differs for some channels; None keeps what holds for all.

    Attributes:
        channels: references to raw channels.
        stuck_rows: 0 lets a channel stand still for ever.
    """

    channels: tuple[str, ...]
    missing: MissingPolicy | None = None
    stuck_rows: int | None = None


@dataclass(frozen=True)
class Lateness:
    """What is done about rows older than the newest one."""

    policy: LatePolicy = LatePolicy.SKIP
    tolerance_seconds: float = 0.0


@dataclass(frozen=True)
class PipelineOptions:
    """A pipeline. Channels are named by their index, `name` of an input, or `name[index]`.

    Attributes:
        lags: ascending numbers of rows; what each channel was that many rows ago enters, too.
        window: the same for each of the latest rows, this many.
        differences: ascending numbers of rows; how much each channel changed since enters, too.
        missing: for all channels.
        stuck_rows: rows of one and the same value from which on it counts as missing; 0: never.
        rules: what differs for some channels.
        late: None lets rows come in any order.
        grow_channels: whether wider rows widen the network.
        most_channels: widest row that is taken then; 0 means twice the declared channels.
        narrow_rows: whether rows may lack their last channels, which then are missing.
    """

    lags: tuple[int, ...] = ()
    window: int = 0
    differences: tuple[int, ...] = ()
    calendar: Calendar | None = None
    forecast: Forecast | None = None
    reconstruction: Reconstruction | None = None
    missing: MissingPolicy = MissingPolicy.LEARN
    stuck_rows: int = 0
    rules: tuple[ChannelRule, ...] = ()
    late: Lateness | None = None
    grow_channels: bool = False
    most_channels: int = 0
    narrow_rows: bool = False

    @property
    def every_lag(self) -> tuple[int, ...]:
        """Lags and window together, ascending."""
        return tuple(sorted({*self.lags, *range(1, self.window + 1)}))

    @property
    def copies(self) -> int:
        """Numbers that enter beside each channel's own."""
        return len(self.every_lag) + len(self.differences)

    @property
    def longest(self) -> int:
        """Rows that the pipeline looks back."""
        return max((*self.every_lag, *self.differences), default=0)

    @property
    def calendar_columns(self) -> int:
        """Numbers that a time makes."""
        return 2 * self.calendar.cycles if self.calendar is not None else 0

    @property
    def goal(self) -> Forecast | Reconstruction | None:
        """What the network learns without being told by anybody."""
        return self.forecast or self.reconstruction

    @property
    def horizon(self) -> int:
        """Rows from a row to the one that shows what was to be said of it."""
        return self.forecast.horizon if self.forecast is not None else 0

    @property
    def needs_times(self) -> bool:
        """Whether each row has to come with its time."""
        return self.calendar is not None or self.late is not None
