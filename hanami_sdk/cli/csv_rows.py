"""Reads rows for a stream: records of cells, the first with the columns' names.

Records come from CSV; `hanami_sdk.cli.streaming.json_lines` makes the same of JSON.
Columns are fed in the file's order. An empty cell is a missing value, and so is each
of the words that uploads take for one. Rows are handed out in batches, those with
something to learn apart from the others; a batch goes out unfilled when the source
pauses, so that a living source is answered at once.
"""

from __future__ import annotations

import csv
import queue
import threading
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.event_times import parse_time
from hanami_sdk.gaps import GAPS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hanami_sdk.cli.streaming.places import Place

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
        time: the column that says when a row was measured; empty when there is none.
    """

    label: str = ""
    targets: Sequence[str] = ()
    ignored: Sequence[str] = ()
    time: str = ""

    @property
    def used(self) -> list[str]:
        """The columns that are not fed."""
        single = [name for name in (self.label, self.time) if name]
        return [*single, *self.targets, *self.ignored]


@dataclass(frozen=True)
class Layout:
    """Where in a row the chosen columns are."""

    names: tuple[str, ...]
    inputs: tuple[int, ...]
    label: int | None
    targets: tuple[int, ...]
    time: int | None = None


@dataclass(frozen=True)
class Row:
    """One row of the file, read; without label and targets it is only predicted.

    Attributes:
        nanoseconds: when it was measured, since 1970; `None` when there is no such column.
        place: where in its source it ends, for sources that one can go on with.
    """

    line: int
    inputs: list[float]
    label: str | None
    targets: list[float]
    nanoseconds: int | None = None
    place: Place | None = None

    @property
    def is_taught(self) -> bool:
        """Whether there is something to learn from it."""
        return self.label is not None or bool(self.targets)


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
        """The labels, if the rows have them."""
        return [row.label for row in self.rows if row.label is not None] or None

    @property
    def targets(self) -> NDArray[np.float32] | None:
        """The numbers to learn, float32 [rows, outputs], if the rows have them."""
        import numpy as np

        if not self.rows[0].targets:
            return None
        return np.array([row.targets for row in self.rows], dtype=np.float32)

    @property
    def event_times(self) -> list[int] | None:
        """When the rows were measured, in nanoseconds since 1970, if the rows say it."""
        times = [row.nanoseconds for row in self.rows if row.nanoseconds is not None]
        return times or None


def text_lines(lines: Iterable[bytes], line_of: Callable[[], int] | None = None) -> Iterator[str]:
    """Yield the lines of a file as text.

    Args:
        lines: as they are in the file.
        line_of: returns the number of the last one; they are counted when `None`.

    Raises:
        CommandFailure: a line is not UTF-8; it says which, and how to convert the file.
    """
    for count, line in enumerate(lines, 1):
        number = count if line_of is None else line_of()
        if number == 1 and (line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b"\0" in line):
            raise CommandFailure(
                "Line 1 is not text in UTF-8; it looks like UTF-16.",
                hint="Convert the file: iconv -f UTF-16 -t UTF-8 FILE > NEW",
            )
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise CommandFailure(
                f"Line {number} is not text in UTF-8 (byte 0x{line[error.start]:02x} "
                f"after {error.start} others).",
                hint="Convert the file, for example: iconv -f LATIN1 -t UTF-8 FILE > NEW",
            ) from error


@dataclass(frozen=True)
class Record:
    """The cells of one row, or the names of the columns."""

    line: int
    cells: Sequence[str]


def csv_records(
    lines: Iterable[str], *, delimiter: str = ",", line_of: Callable[[], int] | None = None
) -> Iterator[Record]:
    """Yield the records of a CSV text.

    Raises:
        CommandFailure: it is not CSV; it says in which line.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if cells:
                yield Record(reader.line_num if line_of is None else line_of(), cells)
    except csv.Error as error:
        line = reader.line_num if line_of is None else line_of()
        raise CommandFailure(f"Line {line} is not CSV: {error}.") from error


def read_rows(
    lines: Iterable[str], choice: ColumnChoice, *, delimiter: str = ",", channels: int | None = None
) -> Iterator[Row]:
    """Yield the rows of a CSV text.

    Args:
        lines: the text, a header line first.
        choice: what the columns mean.
        delimiter: what separates the cells.
        channels: how many columns have to be left as inputs; any number when `None`.

    Raises:
        CommandFailure: the text is not such a CSV; it says in which line and column.
    """
    reader = RowReader(choice, channels)
    yield from reader.read(csv_records(lines, delimiter=delimiter))
    if reader.layout is None:
        raise CommandFailure("The CSV is empty; it needs a header line with column names.")


@dataclass
class RowReader:
    """Reads rows from records.

    Attributes:
        choice: what the columns mean.
        channels: how many columns have to be left as inputs; any number when `None`.
        layout: where they are; known from the first record on, or from an earlier reading.
        repeats_header: whether the names may come again, as they do in the next of
            several files.
        on_bad: is told of a row that cannot be read, and the reading goes on; without
            it, such a row ends the reading.
    """

    choice: ColumnChoice
    channels: int | None = None
    layout: Layout | None = None
    repeats_header: bool = False
    on_bad: Callable[[CommandFailure], None] | None = None

    def read(self, records: Iterable[Record]) -> Iterator[Row]:
        """Yield the rows.

        Raises:
            CommandFailure: a record does not fit; it says in which line and column.
        """
        for record in records:
            layout = self.layout
            if layout is None:
                layout = plan_columns(record.cells, self.choice)
                _check_width(layout, self.channels)
                self.layout = layout
                continue
            if self.repeats_header and _names_of(record.cells) == layout.names:
                continue
            try:
                row = _read_row(record.cells, layout, record.line)
            except CommandFailure as failure:
                if self.on_bad is None:
                    raise
                self.on_bad(failure)
            else:
                yield row


def _names_of(header: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.strip().removeprefix("\ufeff") for name in header)


def plan_columns(header: Sequence[str], choice: ColumnChoice) -> Layout:
    """Find the chosen columns in a header line.

    Raises:
        CommandFailure: the line is no header, or a column is missing.
    """
    names = _names_of(header)
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
    used = choice.used
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
        names.index(choice.time) if choice.time else None,
    )


def _check_width(layout: Layout, channels: int | None) -> None:
    count = len(layout.inputs)
    if channels is None or count == channels:
        return
    names = [layout.names[i] for i in layout.inputs]
    shown = f"{', '.join(names[:20])}{', ...' if names[20:] else ''}"
    columns = f"{count} column{'' if count == 1 else 's'}"
    raise CommandFailure(
        f"The network has {channels} channels, but {columns} would be fed: {shown}.",
        hint="Leave columns out: --ignore COLUMN; or say which is the label: --label COLUMN"
        if count > channels
        else "Feed the columns that the network was made for, in the same order.",
        exit_code=EXIT_USAGE,
    )


def batches(
    rows: Iterator[Row], *, size: int, pause: float = PAUSE_SECONDS
) -> Iterator[RowBatch | None]:
    """Yield rows in batches of at most `size`; `None` whenever the source pauses, or fails."""
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
        if batch.rows and not _goes_with(item, batch):
            yield batch
            batch = RowBatch()
        if isinstance(item, Row):
            batch.rows.append(item)
            if len(batch.rows) == size:
                yield batch
                batch = RowBatch()
        if isinstance(item, BaseException):
            yield None  # What came before is answered first.
            raise item
        if item is None:
            return


def _goes_with(item: Row | BaseException | None, batch: RowBatch) -> bool:
    """Whether a row belongs into a batch: all rows of a frame are learned, or none."""
    return isinstance(item, Row) and item.is_taught == batch.rows[0].is_taught


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
    label = cells[layout.label].strip() if layout.label is not None else ""
    targets = [_number(cells, i, layout, line) for i in layout.targets]
    if any(value != value for value in targets):
        targets = []
    nanoseconds = _time(cells[layout.time].strip(), line) if layout.time is not None else None
    return Row(line, _numbers(cells, layout, line), label or None, targets, nanoseconds)


def _time(text: str, line: int) -> int:
    try:
        return parse_time(text)
    except ValueError:
        raise CommandFailure(
            f"Line {line}: {text[:40]!r} is no time.",
            hint="Times are ISO 8601, or seconds, milli-, micro- or nanoseconds since 1970.",
        ) from None


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
    if text in GAPS:
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
