"""One trace from the client through Envoy to kyouko and shiori."""

import secrets

from hanami.kyouko.v1 import network_service_pb2, task_service_pb2, task_service_pb2_grpc
from hanami.shiori.v1 import dataset_service_pb2_grpc

from tests.e2e import rows
from tests.e2e.collector import TraceCollector
from tests.e2e.conftest import Login, RunningMesh


def test_one_trace_links_the_client_envoy_kyouko_and_shiori(
    mesh: RunningMesh,
    collector: TraceCollector,
    project: str,
    network: network_service_pb2.Network,
    member: Login,
) -> None:
    """CreateTask makes kyouko ask shiori; all spans hang below the client's."""
    dataset = dataset_service_pb2_grpc.DatasetServiceStub(mesh.channel).UploadDataset(
        rows.upload(project, "traced", rows.csv_of(50), target="kind"), metadata=member.metadata
    )
    trace_id, client_span = secrets.token_hex(16), secrets.token_hex(8)
    traceparent = ("traceparent", f"00-{trace_id}-{client_span}-01")

    task_service_pb2_grpc.TaskServiceStub(mesh.channel).CreateTask(
        task_service_pb2.CreateTaskRequest(
            parent=network.name, kind=task_service_pb2.TASK_KIND_LEARN, dataset=dataset.name
        ),
        metadata=(*member.metadata, traceparent),
    )

    spans = collector.spans_of(trace_id, services={"envoy", "kyouko", "shiori"})
    by_id = {span.span_id: span for span in spans}
    shiori = next(span for span in spans if span.name.endswith("DatasetService/GetDataset"))
    kyouko = by_id[shiori.parent_id]
    path = [kyouko]
    while path[-1].parent_id in by_id:
        path.append(by_id[path[-1].parent_id])
    assert ("kyouko", "hanami.kyouko.v1.TaskService/CreateTask") == (kyouko.service, kyouko.name)
    assert "envoy" in {span.service for span in path}
    assert client_span == path[-1].parent_id
