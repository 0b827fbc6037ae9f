"""OpenTelemetry: traces go to a collector when one is configured, nowhere otherwise."""

import os
from collections.abc import Mapping, Sequence

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

_ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
TRACER_NAME = "hanami"


def set_up_telemetry(service: str) -> TracerProvider:
    """Install the tracer of this process; returns it so that it can be flushed."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if any(os.environ.get(variable) for variable in _ENDPOINT_VARIABLES):
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider


def tracer() -> trace.Tracer:
    """Return the tracer of this process."""
    return trace.get_tracer(TRACER_NAME)


def context_from(metadata: Sequence[tuple[str, str | bytes]] | None) -> Context:
    """Return the trace context (W3C) that call metadata carries."""
    carrier = {key: value for key, value in metadata or () if isinstance(value, str)}
    return propagate.extract(carrier)


def trace_headers(context: Context | None = None) -> Mapping[str, str]:
    """Return the headers that carry the current trace context onward."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier, context=context)
    return carrier
