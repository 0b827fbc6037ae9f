"""Who may know of a network or a data set."""

from __future__ import annotations

from typing import Literal

from hanami.type.v1 import visibility_pb2

# The owner and project admins; the members of the project; everybody with a login.
Visibility = Literal["PRIVATE", "SHARED", "PUBLIC"]


def visibility_number(visibility: Visibility | None) -> visibility_pb2.Visibility.ValueType:
    """Return a visibility as messages name it; None leaves the choice to the mesh."""
    if visibility is None:
        return visibility_pb2.VISIBILITY_UNSPECIFIED
    return visibility_pb2.Visibility.Value(f"VISIBILITY_{visibility}")
