"""A collector of traces for tests: receives OTLP over gRPC and keeps the spans."""

import threading
import time
from concurrent import futures
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


@dataclass(frozen=True)
class Span:
    """What the tests need to know of a span; ids in hexadecimal."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    linked_trace_ids: tuple[str, ...]


class TraceCollector(trace_service_pb2_grpc.TraceServiceServicer):
    """Listens on a free loopback port until closed."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._lock = threading.Lock()
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.endpoint = f"http://127.0.0.1:{port}"
        self._server.start()

    def Export(
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: Any
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        """Keep the spans of one export."""
        with self._lock:
            for resource_spans in request.resource_spans:
                attributes = {a.key: a.value for a in resource_spans.resource.attributes}
                service = attributes["service.name"].string_value
                for scope in resource_spans.scope_spans:
                    self._spans.extend(_span(service, span) for span in scope.spans)
        return trace_service_pb2.ExportTraceServiceResponse()

    def spans_of(
        self, trace_id: str, *, services: set[str], timeout_seconds: float = 20
    ) -> list[Span]:
        """Wait until all services have told spans of a trace; returns all its spans.

        Raises:
            TimeoutError: Some service told none in time.
        """
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            with self._lock:
                found = [span for span in self._spans if span.trace_id == trace_id]
            if services <= {span.service for span in found}:
                return found
            time.sleep(0.1)
        seen = sorted({span.service for span in found})
        raise TimeoutError(f"of {sorted(services)} only {seen} told spans of trace {trace_id}")

    def close(self) -> None:
        """Stop listening."""
        self._server.stop(None).wait()


def _span(service: str, span: Any) -> Span:
    return Span(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        linked_trace_ids=tuple(link.trace_id.hex() for link in span.links),
    )
