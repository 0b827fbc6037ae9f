"""What the columns of a data set mean for a network, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hanami.shiori.v1.dataset_service_pb2 import Column, Dataset


def fed_channels(dataset: Dataset) -> int:
    """Return how many channels a network needs for the columns that are fed by default."""
    return sum(column.width for column in _of_role(dataset, "INPUT"))


def uses(dataset: Dataset) -> list[tuple[str, str]]:
    """Return which columns are fed, which is learned and which are left out, and why."""
    fed, learned, left_out = (_of_role(dataset, role) for role in ("INPUT", "TARGET", "OTHER"))
    channels = fed_channels(dataset)
    count = f" ({channels} channel{'' if channels == 1 else 's'})"
    return [
        ("Fed", (_names(fed) or "no column holds numbers only") + count),
        ("Learned", _names(learned) or "nothing by default; say --target COLUMN to a task"),
        ("Left out", _names(left_out)),
    ]


def warning(dataset: Dataset) -> str:
    """Return why columns are left out; empty when all are used."""
    left_out = _of_role(dataset, "OTHER")
    if not left_out:
        return ""
    words = "is text, so it is" if len(left_out) == 1 else "are text, so they are"
    return (
        f"{_names(left_out)} {words} not fed. One cell that is neither a number nor a gap "
        "makes a whole column text."
    )


def next_commands(dataset: Dataset) -> list[str]:
    """Return the commands that make a fitting network and let it learn the data set."""
    name = dataset.name.rsplit("/", 1)[-1]
    targets = _of_role(dataset, "TARGET")
    template = " --template flat-numbers" if any(_is_fraction(t) for t in targets) else ""
    target = "" if targets else " --target COLUMN"
    return [
        f"network create NETWORK{template} --channels {fed_channels(dataset)}",
        f"task create NETWORK {name}{target} --watch",
    ]


def _of_role(dataset: Dataset, role: str) -> list[Column]:
    from hanami.shiori.v1.dataset_service_pb2 import ColumnRole

    number = ColumnRole.Value(f"COLUMN_ROLE_{role}")
    return [column for column in dataset.columns if column.role == number]


def _names(columns: list[Column]) -> str:
    return ", ".join(column.name for column in columns)


def _is_fraction(column: Column) -> bool:
    from hanami.shiori.v1.dataset_service_pb2 import COLUMN_TYPE_FLOAT64

    return column.type == COLUMN_TYPE_FLOAT64
