"""How far a long measurement is: bars on the terminal, nothing where there is none."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


def follow(items: Sequence[Item], description: str) -> Iterator[Item]:
    """Yield the items and show how many are done; the bar goes away at the end."""
    console = Console(stderr=True)
    bar: Iterable[Item] = track(
        items,
        description=description,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    yield from bar
