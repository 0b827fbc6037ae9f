"""The header line of a CSV file: names of columns, or the reason why there are none."""

import csv
import re
from collections.abc import Sequence

from shiori.domain.announcement import DATA
from shiori.formats.malformed import malformed, too_large

MAX_COLUMNS = 10_000
MAX_NAME_LENGTH = 256
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def header_of(text: str, *, line: int) -> tuple[str, ...]:
    """Return the names in a header line, without the spaces around them.

    Args:
        text: The header record, without its line end.
        line: Where it begins, for errors.

    Raises:
        InvalidArgument: FILE_MALFORMED.
        ResourceExhausted: LIMIT_REACHED: too many columns.
    """
    names = [name.strip() for name in next(csv.reader([text], strict=True))]
    if len(names) > MAX_COLUMNS:
        problem = f"the header has {len(names)} columns, but {MAX_COLUMNS} is the most"
        raise too_large(problem, limit=MAX_COLUMNS, actual=len(names))
    _check_delimiter(text, names, line)
    filled = [name for name in names if name]
    if filled and all(_NUMBER.fullmatch(name) for name in filled):
        raise malformed(
            DATA,
            "the first line holds numbers only, so the header line with the names of the "
            "columns seems to be missing",
            line=line,
        )
    _check_names(names, line)
    return tuple(names)


def _check_delimiter(text: str, names: Sequence[str], line: int) -> None:
    if len(names) > 1 or text.startswith('"'):
        return
    for character, word in _OTHER_DELIMITERS.items():
        if character in text:
            raise malformed(
                DATA,
                f"its columns seem to be separated by {word}; separate them by commas, or put "
                "the name in quotes if it is one column",
                line=line,
            )


def _check_names(names: Sequence[str], line: int) -> None:
    seen: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if not name:
            raise malformed(DATA, "the column has no name", line=line, column=position)
        if len(name) > MAX_NAME_LENGTH:
            problem = f"the name of the column is longer than {MAX_NAME_LENGTH} characters"
            raise malformed(DATA, problem, line=line, column=position)
        if name in seen:
            problem = f"the name {name!r} stands at column {seen[name]} already"
            raise malformed(DATA, problem, line=line, column=position)
        seen[name] = position
