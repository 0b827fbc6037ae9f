"""One run of `hanami stream`, from the bookmark to the last durable row."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hanami_sdk.channels import row_channels
from hanami_sdk.cli.answers import exchange
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.output import note, print_json_line
from hanami_sdk.cli.row_batches import RowBatch, batches
from hanami_sdk.cli.row_layout import ColumnChoice
from hanami_sdk.cli.streaming.bookmarks import Bookmark, held, usual_path
from hanami_sdk.cli.streaming.figures import Figures
from hanami_sdk.cli.streaming.line_sources import FileLines, PipeLines
from hanami_sdk.cli.streaming.places import Place
from hanami_sdk.cli.streaming.reading import Lines, SourceReading
from hanami_sdk.cli.streaming.replay import paced
from hanami_sdk.cli.streaming.standing import compared
from hanami_sdk.cli.streaming.view import View
from hanami_sdk.local.home import MeshHome
from hanami_sdk.names import Namespace

if TYPE_CHECKING:
    from hanami_sdk.blocking_streams import BlockingLearnStream
    from hanami_sdk.client import Client

_CONNECTIONS_EVERY = 5


@dataclass(frozen=True)
class Terms:
    """What `hanami stream` was asked for; see its options."""

    network: str
    file: str
    choice: ColumnChoice
    follow: bool
    pace: float
    file_format: str
    bookmark: Path | None
    is_fresh: bool
    skips_bad_lines: bool
    window: int
    every: float
    patience: float
    frame_rows: int
    delimiter: str

    @property
    def source(self) -> str:
        """The name of the source, for its bookmark."""
        return "-" if self.file == "-" else str(Path(self.file).absolute())


def run(terms: Terms, url: str | None, project: str, *, as_data: bool) -> None:
    """Stream until the source ends or somebody ends it."""
    with open_client(url, project) as client, contextlib.ExitStack() as stack:
        # Devices may not read their network, and its full name is known without.
        network = Namespace(project).network(terms.network)
        path = terms.bookmark or usual_path(
            MeshHome.default().root, client.url, network, terms.source
        )
        stack.enter_context(held(path))
        if terms.is_fresh:
            path.unlink(missing_ok=True)
        bookmark = Bookmark.load(path, network, terms.source)
        stack.callback(bookmark.close)
        stream = stack.enter_context(_opened(client, terms, bookmark))
        _Run(terms, client, stream, bookmark, as_data=as_data).go()


@contextlib.contextmanager
def _opened(client: Client, terms: Terms, bookmark: Bookmark) -> Iterator[BlockingLearnStream]:
    from hanami_sdk.errors import HanamiError
    from hanami_sdk.scoring import Scoring

    opening = client.learn(
        terms.network,
        resume_token=bookmark.token,
        reconnect_seconds=terms.patience,
        scoring=Scoring(window_rows=terms.window),
    )
    try:
        opening.__enter__()
    except HanamiError as error:
        if error.reason != "SESSION_UNKNOWN":
            raise
        raise CommandFailure(
            f"The network does not know the session of {bookmark.path} any more.",
            hint="To begin a new session at the start of the source: --fresh",
        ) from error
    with contextlib.ExitStack() as stack:
        stack.push(opening.__exit__)
        yield opening


@dataclass
class _Run:
    """The parts of a run, and what it does with them."""

    terms: Terms
    client: Client
    stream: BlockingLearnStream
    bookmark: Bookmark
    as_data: bool
    stop: threading.Event = field(default_factory=threading.Event)
    ticks: int = 0
    # Devices learn, but may not read their network.
    may_look: bool = True
    is_closed: bool = False

    def __post_init__(self) -> None:
        self.figures = Figures()
        self.figures.connections = self.stream.network.statistics.connections
        self.figures.first_connections = self.figures.connections
        self.view = View(self.terms.network, self.figures, self.stream, as_data=self.as_data)

    def go(self) -> None:
        """Send the rows of the source behind the bookmark's place."""
        self._check_there_is_something_to_learn()
        last = self.stream.last_sequence
        place = self.bookmark.begin(self.stream.resume_token, last)
        if last:
            line = place.line if place else 0
            note(f"Going on behind line {line}: {last} frames of this source are known.")
        _end_like_an_interrupt()
        try:
            with self.view.shown(self._each, self.terms.every):
                self._send_and_close(place)
        finally:
            if self.is_closed:
                self._tell_summary()

    def _send_and_close(self, place: Place | None) -> None:
        try:
            self._send(place)
        except (KeyboardInterrupt, CommandFailure) as end:
            self.stop.set()
            if isinstance(end, KeyboardInterrupt):
                self.view.tell("Ending: what was sent is made durable. Ctrl-C again drops it.")
            self._close()
            raise
        self._close()

    def _check_there_is_something_to_learn(self) -> None:
        choice, network = self.terms.choice, self.stream.network
        if choice.label or choice.targets or network.statistics.HasField("pipeline"):
            return
        raise CommandFailure(
            "Say what there is to learn: --label COLUMN or --target COLUMN.", exit_code=EXIT_USAGE
        )

    def _close(self) -> None:
        network = self.stream.close()
        self.figures.connections = network.statistics.connections
        self.bookmark.settle(self.stream.durable_sequence)
        self.is_closed = True

    def _tell_summary(self) -> None:
        if self.as_data:
            print_json_line({"summary": self.figures.as_json(self.stream)})
        else:
            note(self._summary())

    def _summary(self) -> str:
        figures = self.figures
        learned = figures.rows - figures.untaught_rows
        facts = [f"Learned {learned:,} rows, all durable."]
        if figures.total is not None:
            text = compared(figures.total)
            facts.append(f"{text[:1].upper()}{text[1:]}.")
        if figures.untaught_rows:
            facts.append(f"{figures.untaught_rows:,} rows without label were only predicted.")
        if figures.bad_lines:
            facts.append(f"{figures.bad_lines:,} lines could not be read.")
        if self.stream.breaks:
            facts.append(f"The server was lost and found again {self.stream.breaks} times.")
        return " ".join(facts)

    def _send(self, place: Place | None) -> None:
        terms, sequence = self.terms, self.stream.last_sequence
        lines = self._lines(place)
        reading = SourceReading(
            lines,
            terms.file,
            terms.choice,
            row_channels(self.stream.network),
            terms.file_format,
            terms.delimiter,
            self.bookmark.columns,
            on_columns=self._take_columns,
            on_bad=self._skip if terms.skips_bad_lines else None,
        )

        def before(batch: RowBatch) -> None:
            nonlocal sequence
            sequence += 1
            self.bookmark.note(sequence, batch.rows[-1].place)

        rows = paced(reading.rows(), terms.pace, sleep=self.stop.wait)
        source = batches(rows, size=terms.frame_rows)
        for batch, result in exchange(self.stream, source, before):
            self.figures.add(batch, result)

    def _lines(self, place: Place | None) -> Lines:
        terms = self.terms
        if terms.file == "-":
            # Not sys.stdin: the thread that reads may still hold its lock at the end.
            return PipeLines(open(0, "rb", closefd=False), place)
        return FileLines(
            Path(terms.file), place, follow=terms.follow, stop=self.stop, tell=self.view.tell
        )

    def _take_columns(self, names: tuple[str, ...]) -> None:
        self.bookmark.columns = names

    def _skip(self, failure: CommandFailure) -> None:
        self.figures.bad_lines += 1
        self.view.tell(f"Left out: {failure.message}")

    def _each(self) -> None:
        """Keep the bookmark and the figures up to date; called from the view's thread."""
        from hanami_sdk.errors import HanamiError, PermissionDenied

        self.bookmark.settle(self.stream.durable_sequence)
        self.ticks += 1
        if self.ticks % _CONNECTIONS_EVERY == 0 and self.may_look and not self.stop.is_set():
            try:
                found = self.client.networks.get(self.terms.network)
            except PermissionDenied:
                self.may_look = False
                return
            except HanamiError:
                return  # The mesh is away; the figure of before stays.
            self.figures.connections = found.statistics.connections


def _end_like_an_interrupt() -> None:
    """Let a service manager's SIGTERM end the run in good order, as Ctrl-C does."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
