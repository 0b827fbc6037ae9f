"""Carries the application's trace context along with calls."""

from __future__ import annotations

import sys


def trace_metadata() -> list[tuple[str, str]]:
    """Return `traceparent` and its like for the current OpenTelemetry context.

    The result is empty when the application does not use OpenTelemetry: the
    SDK asks whether it has been imported and never imports it on its own.
    """
    if "opentelemetry.trace" not in sys.modules:
        return []
    from opentelemetry import propagate

    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return [(key.lower(), value) for key, value in carrier.items()]
