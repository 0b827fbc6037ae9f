"""The application's trace context goes along."""

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from hanami_sdk.tracing import trace_metadata


def test_without_a_span_nothing_is_sent() -> None:
    """There is no context to carry."""
    assert trace_metadata() == []


def test_the_current_span_is_the_parent_of_the_call() -> None:
    """The W3C header holds the ids of the span that is open."""
    tracer = TracerProvider().get_tracer("test")

    with tracer.start_as_current_span("work") as span:
        metadata = dict(trace_metadata())

    context = span.get_span_context()
    assert metadata["traceparent"].split("-")[1:3] == [
        trace.format_trace_id(context.trace_id),
        trace.format_span_id(context.span_id),
    ]
