"""Which columns of a table mean what, and where in its rows they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure


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


def plan_columns(header: Sequence[str], choice: ColumnChoice) -> Layout:
    """Find the chosen columns in a header line.

    Raises:
        CommandFailure: the line is no header, or a column is missing.
    """
    names = names_of(header)
    if all(is_number(name) for name in names):
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


def check_width(layout: Layout, channels: int | None) -> None:
    """Refuse columns that are not as many as the network has channels, if that is known.

    Raises:
        CommandFailure: there are more, or fewer.
    """
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


def names_of(header: Sequence[str]) -> tuple[str, ...]:
    """Return the names in a header line."""
    return tuple(name.strip().removeprefix("\ufeff") for name in header)


def is_number(text: str) -> bool:
    """Whether a cell holds a number as tables write it."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
