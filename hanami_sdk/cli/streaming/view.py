"""What `hanami stream` shows while it runs: a live plot, plain lines, or JSON lines."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hanami_sdk.cli.output import console, note, print_json_line
from hanami_sdk.cli.streaming.figures import Figures, durability
from hanami_sdk.cli.streaming.plot import bounds, sparkline
from hanami_sdk.cli.streaming.standing import compared, figure

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from hanami_sdk.blocking_streams import BlockingLearnStream

_WIDEST_PLOT = 100
_LIVE_SECONDS = 0.5
_SILENCE_SECONDS = 3.0


class View:
    """Shows the figures of a stream, again and again.

    Args:
        name: of the network.
        figures: what to show.
        stream: the stream.
        as_data: print JSON lines on stdout instead.
    """

    def __init__(
        self, name: str, figures: Figures, stream: BlockingLearnStream, *, as_data: bool
    ) -> None:
        self._name = name
        self._figures = figures
        self._stream = stream
        self._as_data = as_data
        self._console: Console = console(stderr=True)
        self._history: deque[tuple[float, float]] = deque(maxlen=_WIDEST_PLOT)
        self._breaks = stream.breaks
        self._live: Live | None = None

    @contextmanager
    def shown(self, each: Callable[[], None], seconds: float) -> Iterator[None]:
        """Show the stream, and call `each` before every showing, in a thread of its own."""
        is_live = sys.stderr.isatty() and not self._as_data
        if is_live:
            from rich.live import Live

            self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)
            self._live.start()
        done = threading.Event()
        period = _LIVE_SECONDS if is_live else seconds
        ticker = threading.Thread(
            target=self._tick, args=(each, period, done), name="stream-view", daemon=True
        )
        ticker.start()
        try:
            yield
        finally:
            done.set()
            ticker.join()
            each()
            if self._live is not None:
                self._live.update(self._picture(), refresh=True)
                self._live.stop()
                self._live = None

    def tell(self, text: str) -> None:
        """Tell a person something, above the plot."""
        if self._live is not None:
            self._console.print(text, markup=False)
        else:
            note(text)

    def _tick(self, each: Callable[[], None], period: float, done: threading.Event) -> None:
        while not done.wait(period):
            each()
            self._show()

    def _show(self) -> None:
        if self._stream.breaks > self._breaks:
            self._breaks = self._stream.breaks
            self.tell("The server was lost and found again; what it did not have is sent again.")
        window = self._figures.window
        if window is not None:
            self._history.append((window.network, window.baseline[1]))
        if self._as_data:
            print_json_line(self._figures.as_json(self._stream))
        elif self._live is not None:
            self._live.update(self._picture(), refresh=True)
        else:
            note(self._figures.line(self._stream) + self._silence())

    def _silence(self) -> str:
        is_behind = self._stream.outstanding_rows > 0
        silent = time.monotonic() - self._figures.last_answer
        if not is_behind or silent < _SILENCE_SECONDS:
            return ""
        return f"; waiting for the server since {silent:.0f} s"

    def _picture(self) -> Text:
        from rich.text import Text

        figures, text = self._figures, Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{self._name}  ", style="bold")
        text.append(f"{figures.rows:,} rows  {figures.rows_per_second:,.0f} rows/s")
        text.append(f"{self._silence()}\n", style="yellow")
        if figures.window is not None:
            self._append_plot(text)
            text.append(f"{compared(figures.window)}\n")
        grown = figures.connections - figures.first_connections
        text.append(f"{figures.connections:,} connections ({grown:+,})  {durability(self._stream)}")
        if self._stream.breaks:
            text.append(f"  {self._stream.breaks} breaks of the connection", style="yellow")
        return text

    def _append_plot(self, text: Text) -> None:
        window = self._figures.window
        if window is None:
            return
        name, baseline = window.baseline
        width = max(10, min(_WIDEST_PLOT, self._console.width - 26))
        recent = list(self._history)[-width:]
        series = [value for value, _ in recent], [value for _, value in recent]
        low, high = bounds(*series)
        lines = (("network", series[0], window.network, "green"), (name, series[1], baseline, ""))
        for title, values, last, style in lines:
            text.append(f"{title:<15}")
            text.append(sparkline(values, low=low, high=high), style=style or "dim")
            text.append(f" {figure(window, last)}\n")
