"""Reads rows for a stream: records of cells, the first with the columns' names.

Records come from CSV; `hanami_sdk.cli.streaming.json_lines` makes the same of JSON.
Columns are fed in the file's order. An empty cell is a missing value, and so is each
of the words that uploads take for one.
"""

from __future__ import annotations

import csv
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.cli.row_batches import Row
from hanami_sdk.cli.row_layout import (
    ColumnChoice,
    Layout,
    check_width,
    is_number,
    names_of,
    plan_columns,
)
from hanami_sdk.event_times import parse_time
from hanami_sdk.gaps import GAPS

_NOT_A_NUMBER = float("nan")


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
                check_width(layout, self.channels)
                self.layout = layout
                continue
            if self.repeats_header and names_of(record.cells) == layout.names:
                continue
            try:
                row = _read_row(record.cells, layout, record.line)
            except CommandFailure as failure:
                if self.on_bad is None:
                    raise
                self.on_bad(failure)
            else:
                yield row


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
    if not is_number(text):
        name = layout.names[index]
        raise CommandFailure(
            f"Line {line}, column {name!r}: {text[:40]!r} is not a number.",
            hint=f"Leave the column out: --ignore {name}; or is it the label: --label {name}",
        )
    return float(text)
