"""Records from JSON lines: one object or array a line, as cells like those of a CSV.

Fields of objects within objects are named by their path, `motor.speed`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from hanami_sdk.cli.csv_rows import Record
from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.cli.row_layout import ColumnChoice
from hanami_sdk.json_fields import flat_fields


class JsonRecords:
    """Turns JSON lines into records.

    Args:
        choice: what the fields mean.
        line_of: returns the number of the line that was read last.
        names: the fields, when they are known from an earlier reading; else those of
            the first line and the chosen ones.
        on_bad: is told of a line that cannot be read, and the reading goes on.
    """

    def __init__(
        self,
        choice: ColumnChoice,
        line_of: Callable[[], int],
        *,
        names: Sequence[str] | None = None,
        on_bad: Callable[[CommandFailure], None] | None = None,
    ) -> None:
        self._choice = choice
        self._line_of = line_of
        self._names = names
        self._on_bad = on_bad

    def read(self, lines: Iterable[str]) -> Iterator[Record]:
        """Yield the names first, unless they are known, then the cells of each line.

        Raises:
            CommandFailure: a line is not such JSON.
        """
        for text in lines:
            if not text.strip():
                continue
            try:
                fields = self._fields(text)
                if self._names is None:
                    self._names = self._first_names(fields)
                    yield Record(self._line_of(), self._names)
                yield Record(self._line_of(), self._cells(fields))
            except CommandFailure as failure:
                if self._on_bad is None:
                    raise
                self._on_bad(failure)

    def _fields(self, text: str) -> dict[str, Any]:
        line = self._line_of()
        try:
            value = json.loads(text)
        except ValueError as error:
            raise CommandFailure(f"Line {line} is not JSON: {error}.") from error
        if isinstance(value, list):
            value = {f"column{number}": item for number, item in enumerate(value, 1)}
        if not isinstance(value, dict) or not value:
            raise CommandFailure(f"Line {line} is no object and no array of values.")
        return dict(flat_fields(value))

    def _first_names(self, fields: dict[str, Any]) -> list[str]:
        # A chosen field may be missing in the first line: a label that comes now and then.
        chosen = (name for name in self._choice.used if name not in fields)
        return [*fields, *(name for name in chosen if name not in self._choice.ignored)]

    def _cells(self, fields: dict[str, Any]) -> list[str]:
        names = self._names or ()
        for name in fields:
            if name not in names and name not in self._choice.ignored:
                raise CommandFailure(
                    f"Line {self._line_of()} has a field {name!r} that the first line has not.",
                    hint=f"Leave it out: --ignore {name}",
                )
        return [self._cell(name, fields.get(name)) for name in names]

    def _cell(self, name: str, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return str(value).lower() if name == self._choice.label else str(int(value))
        if isinstance(value, list):
            if name in self._choice.ignored:
                return ""
            raise CommandFailure(
                f"Line {self._line_of()}, field {name!r} is an array; values are numbers or text.",
                hint=f"Leave it out: --ignore {name}",
            )
        return str(value)
