"""One span and one log line for every call, linked to the caller's trace."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from mesh import telemetry
from mesh.interceptors.chain import Call

_log = structlog.get_logger("hanami.calls")
# Probes come every second and say nothing about users.
_QUIET = ("/grpc.health.v1.Health/", "/grpc.reflection.")


@asynccontextmanager
async def call_telemetry(call: Call) -> AsyncIterator[None]:
    """Trace and log a call; probes are left out."""
    if call.method.startswith(_QUIET):
        yield
        return
    service, _, method = call.method.strip("/").rpartition("/")
    span = telemetry.tracer().start_span(
        call.method.strip("/"),
        context=telemetry.context_from(list(call.metadata().items())),
        kind=SpanKind.SERVER,
        attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": method},
    )
    otel_context.attach(trace.set_span_in_context(span))
    started = time.perf_counter()
    try:
        yield
    finally:
        code = _code_of(call)
        span.set_attribute("rpc.grpc.status_code", code.value[0])
        if code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN):
            span.set_status(Status(StatusCode.ERROR))
        span.end()
        _log.info(
            "call",
            method=call.method,
            code=code.name,
            milliseconds=round((time.perf_counter() - started) * 1e3, 2),
        )


def _code_of(call: Call) -> grpc.StatusCode:
    if call.context.cancelled():
        return grpc.StatusCode.CANCELLED
    code: int | grpc.StatusCode | None = call.context.code()
    if isinstance(code, grpc.StatusCode):
        return code
    by_number = {status.value[0]: status for status in grpc.StatusCode}
    return by_number.get(code or 0, grpc.StatusCode.UNKNOWN)
