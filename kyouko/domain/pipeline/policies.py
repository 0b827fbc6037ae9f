"""What becomes of values that cannot be used: learned as missing, held, skipped or refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kyouko.domain.pipeline.channels import find_channels
from kyouko.domain.pipeline.guards import CAUSES
from kyouko.domain.pipeline.options import MissingPolicy, PipelineOptions
from mesh.errors import InvalidArgument

__all__ = ["ChannelPolicies", "Findings"]

Float32 = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_POLICIES: Final = (
    MissingPolicy.LEARN,
    MissingPolicy.HOLD,
    MissingPolicy.SKIP,
    MissingPolicy.REJECT,
)
_HOLD: Final = _POLICIES.index(MissingPolicy.HOLD)
_SKIP: Final = _POLICIES.index(MissingPolicy.SKIP)
_REJECT: Final = _POLICIES.index(MissingPolicy.REJECT)
_WORDS: Final = dict(
    zip(CAUSES, ("is missing", "is not finite", "is stuck", "is absent"), strict=True)
)


@dataclass(frozen=True)
class Findings:
    """What is wrong with the values of rows, each of shape (rows, channels).

    Attributes:
        absent: the row was too narrow to hold the channel.
    """

    missing: Flags
    non_finite: Flags
    stuck: Flags
    absent: Flags

    @property
    def any(self) -> Flags:
        """Values that cannot be used."""
        return self.missing | self.non_finite | self.stuck | self.absent

    def count(self) -> Int64:
        """Return the values of each cause and channel, in the order of `CAUSES`."""
        kinds = (self.missing, self.non_finite, self.stuck, self.absent)
        return np.stack([np.count_nonzero(kind, axis=0) for kind in kinds]).astype(np.int64)

    def cause(self, row: int, channel: int) -> str:
        """Return why a value cannot be used."""
        kinds = (self.missing, self.non_finite, self.stuck, self.absent)
        return next(name for name, kind in zip(CAUSES, kinds, strict=True) if kind[row, channel])


class ChannelPolicies:
    """The policy of each channel; those that come later get the one for all."""

    def __init__(self, options: PipelineOptions, inputs: Iterable[tuple[str, int]]) -> None:
        known = tuple(inputs)
        channels = sum(count for _, count in known)
        self._default = _POLICIES.index(options.missing)
        self._default_limit = options.stuck_rows
        self._policies = np.full(channels, self._default, np.int8)
        self._limits = np.full(channels, self._default_limit, np.int64)
        for rule in options.rules:
            chosen = list(find_channels(rule.channels, known))
            if rule.missing is not None:
                self._policies[chosen] = _POLICIES.index(rule.missing)
            if rule.stuck_rows is not None:
                self._limits[chosen] = rule.stuck_rows

    def stuck_limits(self, channels: int) -> Int64:
        """Return from how many same rows on each of so many channels is stuck, 0 for never."""
        more = channels - len(self._limits)
        return np.append(self._limits, np.full(more, self._default_limit, np.int64))

    def refuse(self, findings: Findings, rows: Int64, place: str) -> None:
        """Refuse rows that hold what may not be.

        Args:
            findings: of the rows.
            rows: their places in the frame.
            place: put before the names of fields.

        Raises:
            InvalidArgument: TENSOR_INVALID, with row, channel and cause.
        """
        bad = findings.any & ~findings.absent & (self._of(findings) == _REJECT)
        if not bad.any():
            return
        place_of, channel = (int(index) for index in np.argwhere(bad)[0])
        cause = findings.cause(place_of, channel)
        row = int(rows[place_of])
        raise InvalidArgument.for_field(
            f"{place}inputs",
            f"channel {channel} of row {row} {_WORDS[cause]}, and the network's pipeline rejects "
            "such frames",
            reason="TENSOR_INVALID",
            metadata={"row": str(row), "channel": str(channel), "cause": cause},
        )

    def find_skipped(self, findings: Findings) -> Flags:
        """Return which rows are to be left out."""
        bad = findings.any & ~findings.absent & (self._of(findings) == _SKIP)
        skipped: Flags = bad.any(axis=1)
        return skipped

    def hold(
        self, values: Float32, findings: Findings, held: Float32, *, apart: bool
    ) -> tuple[Float32, Float32]:
        """Return the rows with the gaps of held channels filled, and the latest good values.

        What is stuck is not filled: it would be filled with itself.

        Args:
            values: with NaN for all that cannot be used.
            findings: of the rows.
            held: the latest good value of each channel before them.
            apart: whether to take each row as if it came next.

        Returns:
            Both of shape (rows, channels); the latest value of a row is its own if that is good.
        """
        latest = _latest_apart(values, held) if apart else _latest(values, held)
        gaps = findings.any & ~findings.stuck & (self._of(findings) == _HOLD)
        return np.where(gaps, latest, values), latest

    def _of(self, findings: Findings) -> Int8:
        more = findings.missing.shape[1] - len(self._policies)
        return np.append(self._policies, np.full(more, self._default, np.int8))


def _latest(values: Float32, held: Float32) -> Float32:
    known = np.concatenate([held[np.newaxis], values])
    # The place of the newest good value at each row; 0 is that before the frame.
    places = np.where(np.isfinite(known), np.arange(len(known))[:, np.newaxis], 0)
    newest = np.maximum.accumulate(places, axis=0)
    latest: Float32 = known[newest, np.arange(values.shape[1])][1:]
    return latest


def _latest_apart(values: Float32, held: Float32) -> Float32:
    latest: Float32 = np.where(np.isfinite(values), values, held)
    return latest
