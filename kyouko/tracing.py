"""Spans of tasks: each its own trace, linked to the call that queued it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind

from mesh import telemetry


class OpenTelemetryTracing:
    """Traces tasks with OpenTelemetry."""

    def current(self) -> Mapping[str, str]:
        """Return the present trace context (W3C headers)."""
        return telemetry.trace_headers()

    @contextmanager
    def task_span(
        self, name: str, link: Mapping[str, str], attributes: Mapping[str, Any]
    ) -> Iterator[None]:
        """Open a span that is current inside and linked to an earlier context."""
        earlier = trace.get_current_span(telemetry.context_from(list(link.items())))
        context = earlier.get_span_context()
        with telemetry.tracer().start_as_current_span(
            name,
            # A trace of its own: it may begin long after the call ended.
            context=trace.set_span_in_context(trace.INVALID_SPAN),
            kind=SpanKind.CONSUMER,
            links=[Link(context)] if context.is_valid else [],
            attributes=dict(attributes),
        ):
            yield
