"""How a stream does: rows, speed, error beside the baselines, what is durable."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hanami_sdk.cli.streaming.standing import Standing, compared, standing_json, standing_of

if TYPE_CHECKING:
    from hanami_sdk.blocking_streams import BlockingLearnStream
    from hanami_sdk.cli.row_batches import RowBatch
    from hanami_sdk.results import Result

_RATE_SECONDS = 5.0


@dataclass
class Figures:
    """What has happened on a stream so far."""

    rows: int = 0
    untaught_rows: int = 0
    bad_lines: int = 0
    window: Standing | None = None
    total: Standing | None = None
    connections: int = 0
    first_connections: int = 0
    started: float = field(default_factory=time.monotonic)
    last_answer: float = field(default_factory=time.monotonic)
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, batch: RowBatch, result: Result) -> None:
        """Count an answer."""
        now = time.monotonic()
        self.last_answer = now
        self.rows += result.rows
        # A network that teaches itself has a loss without targets.
        is_taught = batch.rows[0].is_taught or result.loss.size > 0
        self.untaught_rows += 0 if is_taught else result.rows
        self._recent.append((now, result.rows))
        if result.scores is not None and result.scores.metrics is not None:
            self.window = standing_of(result.scores.metrics.window)
            self.total = standing_of(result.scores.metrics.total)

    @property
    def rows_per_second(self) -> float:
        """The speed of the last seconds."""
        now = time.monotonic()
        while self._recent and self._recent[0][0] < now - _RATE_SECONDS:
            self._recent.popleft()
        seconds = min(_RATE_SECONDS, max(now - self.started, 1e-3))
        return sum(rows for _, rows in self._recent) / seconds

    def as_json(self, stream: BlockingLearnStream) -> dict[str, Any]:
        """Return the figures for programs."""
        return {
            "rows": self.rows,
            "rows_without_label": self.untaught_rows,
            "bad_lines": self.bad_lines,
            "rows_per_second": round(self.rows_per_second, 1),
            "window": standing_json(self.window),
            "total": standing_json(self.total),
            "connections": self.connections,
            "connections_grown": self.connections - self.first_connections,
            "sequence": stream.last_sequence,
            "durable_sequence": stream.durable_sequence,
            "learned_rows": stream.learned_rows,
            "kept_rows": stream.kept_rows,
            "breaks": stream.breaks,
        }

    def line(self, stream: BlockingLearnStream) -> str:
        """Return the figures for people, on a line."""
        facts = [f"{self.rows:,} rows", f"{self.rows_per_second:,.0f} rows/s"]
        if self.window is not None:
            facts.append(compared(self.window))
        facts.append(
            f"{self.connections:,} connections ({self.connections - self.first_connections:+,})"
        )
        facts.append(durability(stream))
        return ", ".join(facts)


def durability(stream: BlockingLearnStream) -> str:
    """Return how far what is durable lags behind."""
    lag = max(0, stream.last_sequence - stream.durable_sequence)
    if not lag:
        return f"all {stream.last_sequence:,} frames durable"
    return f"{lag:,} of {stream.last_sequence:,} frames not yet durable"
