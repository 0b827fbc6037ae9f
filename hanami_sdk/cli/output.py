"""What commands print: tables for people, JSON for programs, notes on stderr."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanami_sdk.cli.messages import as_json

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from rich.console import Console
    from rich.progress import Progress


def print_json(value: Any) -> None:
    """Print one JSON value on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_json_line(value: Any) -> None:
    """Print one JSON value on a line of its own, at once."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def print_message(message: Message, *, as_data: bool, rows: Iterable[tuple[str, str]]) -> None:
    """Print one resource: as JSON, or its chosen fields one below the other."""
    if as_data:
        print_json(as_json(message))
        return
    print_fields(rows)


def print_fields(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values one below the other."""
    shown = [(name, value) for name, value in rows if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{name:<{width}}  {value}")


def print_messages(
    messages: Iterable[Message],
    *,
    as_data: bool,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    nothing: str,
) -> None:
    """Print a listing: a JSON array, or a table; `nothing` says that it is empty."""
    if as_data:
        print_json([as_json(message) for message in messages])
        return
    print_table(columns, list(rows), nothing=nothing)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, nothing: str) -> None:
    """Print a table on stdout, or the sentence for an empty one on stderr."""
    if not rows:
        note(nothing)
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table, markup=False)


def note(text: str) -> None:
    """Tell a person something on stderr."""
    print(text, file=sys.stderr)


def console(*, stderr: bool = False) -> Console:
    """Return a console that does not wrap what goes into a pipe."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 200, highlight=False)


def command() -> str:
    """Return the words that run this command from here: its name, or its path off PATH."""
    script = Path(sys.argv[0])
    found = shutil.which("hanami")
    if script.name != "hanami" or (found is not None and Path(found).samefile(script)):
        return "hanami"
    path = script.absolute()
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def progress_bar(*, unit: str, shares_screen: bool = False) -> Progress:
    """Return a progress bar on stderr; it stays silent where nobody watches.

    Args:
        unit: what is counted: `rows`, or `bytes`.
        shares_screen: lines go to stdout meanwhile; where that is a screen too, they
            show the progress well enough.
    """
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    count = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        count,
        TextColumn("{task.fields[facts]}"),
        TimeRemainingColumn(),
        console=console(stderr=True),
        disable=not sys.stderr.isatty() or (shares_screen and sys.stdout.isatty()),
        redirect_stdout=False,  # What goes to stdout may be on its way into a file.
    )


def bytes_text(count: int) -> str:
    """Return a number of bytes for people: 47.0 MB."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
