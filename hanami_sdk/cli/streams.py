"""`hanami learn` and `hanami predict`: rows of a CSV through a living stream."""

from __future__ import annotations

import contextlib
import csv
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from hanami_sdk.channels import row_channels
from hanami_sdk.cli import options
from hanami_sdk.cli.answers import exchange
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.csv_rows import read_rows, text_lines
from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.output import note, print_json, print_json_line, progress_bar
from hanami_sdk.cli.row_batches import RowBatch, batches
from hanami_sdk.cli.row_layout import ColumnChoice

if TYPE_CHECKING:
    from hanami_sdk.blocking_streams import BlockingLearnStream
    from hanami_sdk.exchange import Mode
    from hanami_sdk.results import Result

NetworkArgument = Annotated[str, typer.Argument(help="Name of the network.")]
FileArgument = Annotated[
    str, typer.Argument(help="A CSV file with a header line; - is stdin, as it comes.")
]
LabelOption = Annotated[str, typer.Option("--label", help="The column of labels (classes).")]
TargetOption = Annotated[
    list[str] | None,
    typer.Option("--target", help="A column of numbers to learn; repeat it.", show_default=False),
]
IgnoreOption = Annotated[
    list[str] | None,
    typer.Option("--ignore", help="A column to leave out; repeat it.", show_default=False),
]
FrameRowsOption = Annotated[
    int, typer.Option("--frame-rows", help="Rows that travel together.", min=1)
]
DelimiterOption = Annotated[str, typer.Option("--delimiter", help="What separates the cells.")]


def learn(
    network: NetworkArgument,
    file: FileArgument = "-",
    label: LabelOption = "",
    target: TargetOption = None,
    ignore: IgnoreOption = None,
    predictions: Annotated[
        bool,
        typer.Option("--predictions", help="Print what was predicted before a row was learned."),
    ] = False,
    frame_rows: FrameRowsOption = 64,
    delimiter: DelimiterOption = ",",
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Let a network learn the rows of a CSV, one after the other.

    Each row is predicted first and learned second, so the score is honest. All
    columns but the label, the targets and the ignored ones are fed as they are. A row
    without a label is only predicted.

    Examples:
        hanami learn iris iris.csv --label species --project demo

        tail -f sensors.csv | hanami learn pump --target pressure --project demo
    """
    if not label and not target:
        raise CommandFailure(
            "Say what there is to learn: --label COLUMN or --target COLUMN.", exit_code=EXIT_USAGE
        )
    choice = ColumnChoice(label, tuple(target or ()), tuple(ignore or ()))
    terms = _Terms("LEARN", network, file, choice, frame_rows, delimiter, outputs=False)
    run = _stream(terms, url, project, _printer(json, terms) if predictions else None)
    summary = run.summary()
    if json:
        (print_json_line if predictions else print_json)({"summary": summary})
    else:
        (note if predictions else print)(run.sentence("Learned"))


def predict(
    network: NetworkArgument,
    file: FileArgument = "-",
    label: LabelOption = "",
    target: TargetOption = None,
    ignore: IgnoreOption = None,
    outputs: Annotated[
        bool, typer.Option("--outputs", help="Also print the probability of every label.")
    ] = False,
    frame_rows: FrameRowsOption = 64,
    delimiter: DelimiterOption = ",",
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Let a network predict the rows of a CSV; it stays as it is.

    Prints one line for each row: CSV, or JSON lines with --json. A label or
    target column, where there is one, is only compared with.

    Examples:
        hanami predict iris new.csv --project demo > answers.csv

        hanami predict iris iris.csv --label species --project demo --json
    """
    choice = ColumnChoice(label, tuple(target or ()), tuple(ignore or ()))
    terms = _Terms("PREDICT", network, file, choice, frame_rows, delimiter, outputs)
    run = _stream(terms, url, project, _printer(json, terms))
    note(run.sentence("Predicted"))


@dataclass(frozen=True)
class _Terms:
    mode: Mode
    network: str
    file: str
    choice: ColumnChoice
    frame_rows: int
    delimiter: str
    outputs: bool


@dataclass
class _Run:
    """What has happened on a stream so far."""

    rows: int = 0
    untaught_rows: int = 0
    scored_rows: int = 0
    correct_rows: int = 0
    loss_sum: float = 0.0
    has_labels: bool = False
    connections: int | None = None
    started: float = field(default_factory=time.perf_counter)
    seconds: float = 0.0

    def add(self, batch: RowBatch, result: Result) -> None:
        """Count an answer."""
        self.rows += result.rows
        self.untaught_rows += 0 if batch.rows[0].is_taught else result.rows
        self.scored_rows += result.known_loss.size
        self.correct_rows += result.correct_rows
        self.loss_sum += float(result.known_loss.sum())
        self.seconds = time.perf_counter() - self.started

    def summary(self) -> dict[str, float | int | None]:
        """Return the figures for programs."""
        scored = self.scored_rows
        return {
            "rows": self.rows,
            "scored_rows": scored,
            "rows_without_label": self.untaught_rows,
            "accuracy": self.correct_rows / scored if scored and self.has_labels else None,
            "mean_loss": self.loss_sum / scored if scored else None,
            "seconds": self.seconds,
            "rows_per_second": self.rows / self.seconds if self.seconds else None,
            "connections": self.connections,
        }

    def facts(self) -> str:
        """Return the running score for people."""
        facts = [f"{self.rows / self.seconds:,.0f} rows/s"] if self.seconds else []
        if self.scored_rows and self.has_labels:
            facts.append(f"{self.correct_rows / self.scored_rows:.2%} right")
        if self.scored_rows:
            facts.append(f"loss {self.loss_sum / self.scored_rows:.4f}")
        return ", ".join(facts)

    def sentence(self, verb: str) -> str:
        """Return the end of the story."""
        grown = "" if self.connections is None else f"; {self.connections:,} connections now"
        facts = self.facts()
        rows = self.rows - (self.untaught_rows if verb == "Learned" else 0)
        story = f"{verb} {rows} rows{f' ({facts})' if facts else ''}{grown}."
        if not self.untaught_rows or verb != "Learned":
            return story
        return f"{story} {self.untaught_rows} rows without label were only predicted."


RowPrinter = Callable[["BlockingLearnStream", RowBatch, "Result", int], None]


def _stream(terms: _Terms, url: str | None, project: str, show: RowPrinter | None) -> _Run:
    with (
        _open_lines(terms.file) as lines,
        open_client(url, project) as client,
        client.learn(terms.network, mode=terms.mode, return_outputs=terms.outputs) as stream,
    ):
        run = _Run(has_labels=bool(terms.choice.label))
        channels = row_channels(stream.network)
        rows = read_rows(
            text_lines(lines), terms.choice, delimiter=terms.delimiter, channels=channels
        )
        learned_before = stream.learned_rows
        try:
            _follow(stream, batches(rows, size=terms.frame_rows), run, terms, show)
            network = stream.close()
        except BaseException as error:
            if terms.mode == "LEARN":
                if isinstance(error, CommandFailure):
                    stream.close()  # The stream is well: what came before the fault is kept.
                note(_what_is_kept(stream, learned_before))
            raise
        if terms.mode == "LEARN":
            run.connections = network.statistics.connections
    return run


def _follow(
    stream: BlockingLearnStream,
    source: Iterator[RowBatch | None],
    run: _Run,
    terms: _Terms,
    show: RowPrinter | None,
) -> None:
    """Send all rows, count their answers and show how far it is."""
    with progress_bar(unit="rows", shares_screen=show is not None) as bar:
        line = bar.add_task("Learning" if terms.mode == "LEARN" else "Predicting", facts="")
        for batch, result in exchange(stream, source):
            first_row = run.rows
            run.add(batch, result)
            if show is not None:
                show(stream, batch, result, first_row)
            bar.update(line, completed=run.rows, facts=run.facts())
        bar.update(line, total=run.rows)


def _what_is_kept(stream: BlockingLearnStream, learned_before: int) -> str:
    """Return how much of this stream's rows a network has learned, and will not lose."""
    learned = max(0, stream.learned_rows - learned_before)
    kept = min(learned, max(0, stream.kept_rows - learned_before))
    if not learned:
        return "No row was learned."
    return f"{learned} rows were learned; {kept} of them are safe from a crash."


def _printer(as_data: bool, terms: _Terms) -> RowPrinter:
    """Return what prints the predictions of a batch: JSON lines or CSV."""
    writer = csv.writer(sys.stdout, lineterminator="\n")

    def show(stream: BlockingLearnStream, batch: RowBatch, result: Result, first: int) -> None:
        is_classes = _predicts_classes(stream)
        labels = stream.labels
        if first == 0 and not as_data:
            writer.writerow(["row", *_value_names(result, labels, is_classes, terms)])
        for index in range(len(batch.rows)):
            outputs = result.outputs[index].tolist() if result.outputs.size else []
            if not as_data:
                answer = [result.predicted_labels[index] or ""] if is_classes else []
                writer.writerow([first + index, *answer, *outputs])
            elif is_classes:
                shares = {"outputs": dict(zip(labels, outputs, strict=False))} if outputs else {}
                answer_text = result.predicted_labels[index]
                print_json_line({"row": first + index, "predicted": answer_text, **shares})
            else:
                print_json_line({"row": first + index, "predicted": outputs})
        sys.stdout.flush()

    return show


def _value_names(
    result: Result, labels: tuple[str, ...], is_classes: bool, terms: _Terms
) -> list[str]:
    if is_classes:
        return ["predicted", *(labels if result.outputs.size else ())]
    count = result.outputs.shape[1]
    if len(terms.choice.targets) == count:
        return list(terms.choice.targets)
    return ["predicted"] if count == 1 else [f"predicted_{i}" for i in range(1, count + 1)]


def _predicts_classes(stream: BlockingLearnStream) -> bool:
    from hanami.kyouko.v1.template_service_pb2 import OUTPUT_KIND_NUMBERS

    outputs = stream.network.structure.outputs
    return not outputs or outputs[0].kind != OUTPUT_KIND_NUMBERS


@contextlib.contextmanager
def _open_lines(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        if sys.stdin.isatty():
            note("Reading rows from the keyboard: a header line first; Ctrl-D ends.")
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as lines:
        yield lines
