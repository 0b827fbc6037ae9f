"""Fields of JSON objects, those of objects within objects by their path: `motor.speed`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def flat_fields(fields: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of an object with their paths."""
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from flat_fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
