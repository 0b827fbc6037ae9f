"""From the lines of a source to rows that know where they end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hanami_sdk.cli.csv_rows import Record, RowReader, csv_records, text_lines
from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.cli.row_batches import Row
from hanami_sdk.cli.row_layout import ColumnChoice, plan_columns
from hanami_sdk.cli.streaming.json_lines import JsonRecords
from hanami_sdk.cli.streaming.line_sources import FileLines, PipeLines

Lines = FileLines | PipeLines
_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")


@dataclass
class SourceReading:
    """How a source is read.

    Attributes:
        lines: the source.
        file: its name.
        choice: what the columns mean.
        channels: how many of them have to be left as inputs.
        file_format: `csv`, `json`, or `auto`.
        delimiter: what separates the cells of a CSV.
        columns: their names, known from an earlier reading; empty before the first.
        on_bad: is told of lines that cannot be read; without it they end the reading.
        on_columns: is told the names once they are known.
    """

    lines: Lines
    file: str
    choice: ColumnChoice
    channels: int
    file_format: str
    delimiter: str
    columns: Sequence[str]
    on_columns: Callable[[tuple[str, ...]], None]
    on_bad: Callable[[CommandFailure], None] | None = None

    def rows(self) -> Iterator[Row]:
        """Yield the rows, each with its place.

        Raises:
            CommandFailure: a line cannot be read; it says which.
        """
        reader = RowReader(self.choice, self.channels, repeats_header=True, on_bad=self.on_bad)
        if self.columns:
            reader.layout = plan_columns(self.columns, self.choice)
        is_told = bool(self.columns)
        texts = text_lines(self.lines, self._line)
        first = next((text for text in texts if text.strip()), None)
        if first is None:
            return
        records = self._records(first, itertools.chain([first], texts))
        for row in reader.read(records):
            if not is_told and reader.layout is not None:
                self.on_columns(reader.layout.names)
                is_told = True
            yield replace(row, place=self.lines.place)

    def _records(self, first: str, texts: Iterable[str]) -> Iterator[Record]:
        if self._is_json(first):
            names = self.columns or None
            return JsonRecords(self.choice, self._line, names=names, on_bad=self.on_bad).read(texts)
        return csv_records(texts, delimiter=self.delimiter, line_of=self._line)

    def _is_json(self, first: str) -> bool:
        if self.file_format != "auto":
            return self.file_format == "json"
        return self.file.endswith(_JSON_SUFFIXES) or first.lstrip()[:1] in ("{", "[")

    def _line(self) -> int:
        return self.lines.place.line
