"""Reads rows for a stream from CSV: a header line, then numbers and labels.

Columns are fed in the file's order. An empty cell is a missing value. Rows are
handed out in batches; a batch goes out unfilled when the source pauses, so that
a living source is answered at once.
"""

from __future__ import annotations

import csv
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A source that gives nothing for this long is pausing.
PAUSE_SECONDS = 0.2

_NOT_A_NUMBER = float("nan")
_ROWS_AHEAD = 4096


@dataclass(frozen=True)
class ColumnChoice:
    """Which columns of a file mean what; all that have no other use are inputs.

    Attributes:
        label: the column of labels (classes); empty when there is none.
        targets: the columns of numbers to learn.
        ignored: columns that are not used.
    """

    label: str = ""
    targets: Sequence[str] = ()
    ignored: Sequence[str] = ()


@dataclass(frozen=True)
class Layout:
    """Where in a row the chosen columns are."""

    names: tuple[str, ...]
    inputs: tuple[int, ...]
    label: int | None
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """One row of the file, read."""

    line: int
    inputs: list[float]
    label: str | None
    targets: list[float]


@dataclass
class RowBatch:
    """Rows that go into one frame, in order."""

    rows: list[Row] = field(default_factory=list)

    @property
    def inputs(self) -> NDArray[np.float32]:
        """The inputs, float32 [rows, channels]."""
        import numpy as np

        return np.array([row.inputs for row in self.rows], dtype=np.float32)

    @property
    def labels(self) -> list[str] | None:
        """The labels, if the file has them."""
        labels = [row.label for row in self.rows if row.label is not None]
        return labels or None

    @property
    def targets(self) -> NDArray[np.float32] | None:
        """The numbers to learn, float32 [rows, outputs], if the file has them."""
        import numpy as np

        if not self.rows[0].targets:
            return None
        return np.array([row.targets for row in self.rows], dtype=np.float32)


def read_rows(lines: Iterable[str], choice: ColumnChoice, *, delimiter: str = ",") -> Iterator[Row]:
    """Yield the rows of a CSV text.

    Raises:
        CommandFailure: the text is not such a CSV; it says in which line and column.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    layout: Layout | None = None
    try:
        for cells in reader:
            if not cells:
                continue
            if layout is None:
                layout = plan_columns(cells, choice)
            else:
                yield _read_row(cells, layout, reader.line_num)
    except csv.Error as error:
        raise CommandFailure(f"Line {reader.line_num} is not CSV: {error}.") from error
    if layout is None:
        raise CommandFailure("The CSV is empty; it needs a header line with column names.")


def plan_columns(header: Sequence[str], choice: ColumnChoice) -> Layout:
    """Find the chosen columns in a header line.

    Raises:
        CommandFailure: the line is no header, or a column is missing.
    """
    names = tuple(name.strip().removeprefix("\ufeff") for name in header)
    if all(_is_number(name) for name in names):
        raise CommandFailure(
            "The first line holds numbers, not column names.",
            hint="Put a header line with the names of the columns before the rows.",
        )
    for position, name in enumerate(names, 1):
        if not name:
            raise CommandFailure(f"Column {position} has no name in the header line.")
        if names.index(name) != position - 1:
            raise CommandFailure(f"Two columns are called {name!r}.")
    used = [*([choice.label] if choice.label else []), *choice.targets, *choice.ignored]
    for name in used:
        if name not in names:
            raise CommandFailure(
                f"There is no column {name!r}.",
                hint=f"The columns are: {', '.join(names[:20])}{', ...' if names[20:] else ''}",
                exit_code=EXIT_USAGE,
            )
    inputs = tuple(i for i, name in enumerate(names) if name not in used)
    if not inputs:
        raise CommandFailure("No column is left to feed to the network.")
    return Layout(
        names,
        inputs,
        names.index(choice.label) if choice.label else None,
        tuple(names.index(name) for name in choice.targets),
    )


def batches(
    rows: Iterator[Row], *, size: int, pause: float = PAUSE_SECONDS
) -> Iterator[RowBatch | None]:
    """Yield rows in batches of at most `size`; `None` whenever the source pauses."""
    source: queue.Queue[Row | BaseException | None] = queue.Queue(_ROWS_AHEAD)
    threading.Thread(target=_pump, args=(rows, source), name="csv-rows", daemon=True).start()
    batch, is_paused = RowBatch(), False
    while True:
        try:
            item = source.get(timeout=None if is_paused else pause)
        except queue.Empty:
            if batch.rows:
                yield batch
                batch = RowBatch()
            yield None
            is_paused = True
            continue
        is_paused = False
        if isinstance(item, Row):
            batch.rows.append(item)
        if batch.rows and (len(batch.rows) >= size or not isinstance(item, Row)):
            yield batch
            batch = RowBatch()
        if isinstance(item, BaseException):
            raise item
        if item is None:
            return


def _pump(rows: Iterator[Row], out: queue.Queue[Row | BaseException | None]) -> None:
    try:
        for row in rows:
            out.put(row)
    except BaseException as error:
        out.put(error)
    else:
        out.put(None)


def _read_row(cells: Sequence[str], layout: Layout, line: int) -> Row:
    if len(cells) != len(layout.names):
        raise CommandFailure(
            f"Line {line} has {len(cells)} columns, the header line {len(layout.names)}."
        )
    label = cells[layout.label].strip() if layout.label is not None else None
    if label == "":
        name = layout.names[layout.label or 0]
        raise CommandFailure(f"Line {line} has no label in column {name!r}.")
    targets = [_number(cells, i, layout, line) for i in layout.targets]
    if any(value != value for value in targets):
        raise CommandFailure(f"Line {line} has no number to learn in a target column.")
    return Row(line, _numbers(cells, layout, line), label, targets)


def _numbers(cells: Sequence[str], layout: Layout, line: int) -> list[float]:
    chosen = [cells[i] for i in layout.inputs]
    try:
        values = list(map(float, chosen))
    except ValueError:
        return [_number(cells, i, layout, line) for i in layout.inputs]
    if any("_" in cell for cell in chosen):  # Python reads 1_000 as a number; CSV does not.
        return [_number(cells, i, layout, line) for i in layout.inputs]
    return values


def _number(cells: Sequence[str], index: int, layout: Layout, line: int) -> float:
    text = cells[index].strip()
    if not text:
        return _NOT_A_NUMBER
    if not _is_number(text):
        name = layout.names[index]
        raise CommandFailure(
            f"Line {line}, column {name!r}: {text[:40]!r} is not a number.",
            hint=f"Leave the column out: --ignore {name}; or is it the label: --label {name}",
        )
    return float(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
