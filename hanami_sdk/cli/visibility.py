"""Who may know of something, as people type and read it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hanami.type.v1 import visibility_pb2

    from hanami_sdk import visibility

_PREFIX = "VISIBILITY_"


class Visibility(StrEnum):
    """Who may know of a network or a data set."""

    PRIVATE = "private"
    SHARED = "shared"
    PUBLIC = "public"


OnCreation = Annotated[
    Visibility,
    typer.Option(
        "--visibility",
        help="Who may know of it: you and the project's administrators, its members, everybody.",
    ),
]
OnUpdate = Annotated[
    Visibility,
    typer.Option(
        "--visibility",
        help="Who may know of it: its owner and the project's administrators, its members, "
        "everybody.",
        show_default=False,
    ),
]
WIRE_VISIBILITIES: dict[Visibility, visibility.Visibility] = {
    Visibility.PRIVATE: "PRIVATE",
    Visibility.SHARED: "SHARED",
    Visibility.PUBLIC: "PUBLIC",
}


def visibility_text(number: visibility_pb2.Visibility.ValueType) -> str:
    """Return a visibility in the words of `--visibility`."""
    from hanami.type.v1 import visibility_pb2

    return visibility_pb2.Visibility.Name(number).removeprefix(_PREFIX).lower()
