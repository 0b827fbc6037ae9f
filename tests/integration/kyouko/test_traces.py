"""A task's own trace, linked to the call that queued it."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mesh import telemetry
from tests.integration.kyouko.servers import RunningKyouko, upload_two_kinds
from tests.integration.shiori.servers import RunningShiori


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Collect all spans of this process."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "tracer", lambda: provider.get_tracer("test"))
    return exporter


async def test_a_task_is_linked_to_its_creation_and_goes_on_into_shiori(
    spans: InMemorySpanExporter, kyouko: RunningKyouko, shiori: RunningShiori
) -> None:
    """Creation looks the data set up in the caller's trace; the task reads it in its own."""
    await upload_two_kinds(shiori)
    await kyouko.create_network()

    await kyouko.finish(await kyouko.create_task("kinds"))

    by_name = {span.name: span for span in spans.get_finished_spans()}
    created = by_name["hanami.kyouko.v1.TaskService/CreateTask"]
    looked_up = by_name["hanami.shiori.v1.DatasetService/GetDataset"]
    task = by_name["hanami.kyouko.task"]
    read = by_name["hanami.shiori.v1.DatasetService/ReadDataset"]
    assert created.context.trace_id == looked_up.context.trace_id
    assert [created.context.span_id] == [link.context.span_id for link in task.links]
    assert created.context.trace_id != task.context.trace_id == read.context.trace_id
