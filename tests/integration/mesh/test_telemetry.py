"""One span and one log line for every call."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hanami.kyouko.v1 import task_service_pb2
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from mesh import telemetry
from mesh.errors import NotFound
from tests.integration.mesh.garden import USER, Garden, planted
from tests.integration.statuses import refusal

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = (("traceparent", f"00-{TRACE_ID}-b7ad6b7169203331-01"),)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Return what keeps the spans of this test."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "tracer", lambda: provider.get_tracer("test"))
    return exporter


async def test_span_continues_the_callers_trace(spans: InMemorySpanExporter) -> None:
    """A call's span belongs to the trace in its metadata, and names the method."""
    async with planted() as garden:
        await garden.get_user(metadata=(*garden.alice(), *PARENT))

    (span,) = spans.get_finished_spans()
    assert span.context is not None
    assert span.parent is not None
    assert TRACE_ID == format(span.context.trace_id, "032x")
    assert "b7ad6b7169203331" == format(span.parent.span_id, "016x")
    assert "hanami.misaki.v1.UserService/GetUser" == span.name
    assert trace.SpanKind.SERVER is span.kind
    assert {
        "rpc.system": "grpc",
        "rpc.service": "hanami.misaki.v1.UserService",
        "rpc.method": "GetUser",
        "rpc.grpc.status_code": 0,
    } == dict(span.attributes or {})


async def test_calls_made_inside_a_call_carry_its_trace(spans: InMemorySpanExporter) -> None:
    """What a handler sends on continues the span of its call."""
    seen: list[str] = []

    async def look(_: Any) -> Any:
        seen.append(telemetry.trace_headers()["traceparent"])
        return USER

    async with planted(Garden(unary=look)) as garden:
        await garden.get_user(metadata=(*garden.alice(), *PARENT))

    (span,) = spans.get_finished_spans()
    assert span.context is not None
    assert [f"00-{TRACE_ID}-{span.context.span_id:016x}-01"] == seen


async def test_stream_is_one_span(spans: InMemorySpanExporter) -> None:
    """A stream of many messages makes one span, ended with the stream."""

    async def stream(_: Any) -> AsyncIterator[Any]:
        for _ in range(20):
            yield task_service_pb2.Task()

    async with planted(Garden(stream=stream)) as garden:
        count = len([task async for task in garden.watch_task()])

    assert 20 == count
    assert ["hanami.kyouko.v1.TaskService/WatchTask"] == [
        span.name for span in spans.get_finished_spans()
    ]


@pytest.mark.parametrize(
    ("error", "code", "failed"), [(NotFound("users/x"), 5, False), (RuntimeError("x"), 13, True)]
)
async def test_span_tells_the_status(
    spans: InMemorySpanExporter, error: Exception, code: int, failed: bool
) -> None:
    """The status code is an attribute; only our own mistakes make the span an error."""

    async def fail(_: Any) -> Any:
        raise error

    async with planted(Garden(unary=fail)) as garden:
        await refusal(garden.get_user())

    (span,) = spans.get_finished_spans()
    assert code == (span.attributes or {})["rpc.grpc.status_code"]
    assert failed == (span.status.status_code is trace.StatusCode.ERROR)


async def test_probes_make_no_spans(spans: InMemorySpanExporter) -> None:
    """Health checks come every second and are not traced."""
    async with planted() as garden:
        stub = health_pb2_grpc.HealthStub(garden.channel)
        await stub.Check(health_pb2.HealthCheckRequest(service=""))

    assert () == spans.get_finished_spans()


async def test_call_is_one_log_line_without_its_token() -> None:
    """The log names method, code and time, and never a token."""
    with capture_logs() as logs:
        async with planted() as garden:
            metadata = garden.alice()
            await garden.get_user(metadata=metadata)

    (line,) = [log for log in logs if log["event"] == "call"]
    assert ("/hanami.misaki.v1.UserService/GetUser", "OK") == (line["method"], line["code"])
    assert line["milliseconds"] >= 0
    assert metadata[0][1].removeprefix("Bearer ") not in repr(logs)
