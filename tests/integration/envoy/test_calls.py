"""How the gateway carries gRPC calls: routes, retries, sizes, streams, logs."""

import json
import time

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from hanami.azuki.v1 import monitoring_service_pb2, monitoring_service_pb2_grpc
from hanami.kyouko.v1 import (
    learning_service_pb2,
    learning_service_pb2_grpc,
    network_service_pb2,
    network_service_pb2_grpc,
)
from hanami.shiori.v1 import dataset_service_pb2, dataset_service_pb2_grpc

from tests.integration.envoy.conftest import Gateway

Metadata = list[tuple[str, str]]
MEBIBYTE = 1024 * 1024


def create_network(channel: grpc.Channel, metadata: Metadata, size: int) -> str:
    """Send a template of this many bytes; returns the size that arrived."""
    stub = network_service_pb2_grpc.NetworkServiceStub(channel)
    request = network_service_pb2.CreateNetworkRequest(template="x" * size)
    return str(stub.CreateNetwork(request, metadata=metadata, timeout=30).etag)


def test_unknown_package_is_unimplemented(channel: grpc.Channel, good_metadata: Metadata) -> None:
    """A call to a package that the mesh does not have ends in UNIMPLEMENTED, not in a page."""
    call = channel.unary_unary("/somebody.else.v1.Service/Method")

    with pytest.raises(grpc.RpcError) as caught:
        call(b"", metadata=good_metadata, timeout=10)

    assert grpc.StatusCode.UNIMPLEMENTED == caught.value.code()


def test_service_that_is_away_is_unavailable(
    channel: grpc.Channel, good_metadata: Metadata
) -> None:
    """A call to a service that does not run ends in UNAVAILABLE, at once."""
    stub = monitoring_service_pb2_grpc.MonitoringServiceStub(channel)

    with pytest.raises(grpc.RpcError) as caught:
        stub.GetMachine(
            monitoring_service_pb2.GetMachineRequest(), metadata=good_metadata, timeout=30
        )

    assert grpc.StatusCode.UNAVAILABLE == caught.value.code()


def test_read_is_repeated_after_a_failure(
    gateway: Gateway, channel: grpc.Channel, good_metadata: Metadata
) -> None:
    """A read that fails with UNAVAILABLE twice succeeds for the client."""
    networks = gateway.backends.networks
    networks.calls["GetNetwork"] = 0
    networks.failures_left = 2

    stub = network_service_pb2_grpc.NetworkServiceStub(channel)
    request = network_service_pb2.GetNetworkRequest(name="projects/p1/networks/n1")
    answer = stub.GetNetwork(request, metadata=good_metadata, timeout=10)

    assert "projects/p1/networks/n1" == answer.name
    assert 3 == networks.calls["GetNetwork"]


def test_change_is_never_repeated(
    gateway: Gateway, channel: grpc.Channel, good_metadata: Metadata
) -> None:
    """A deletion that reached the service and failed is not sent a second time."""
    networks = gateway.backends.networks
    networks.calls["DeleteNetwork"] = 0
    networks.failures_left = 1

    stub = network_service_pb2_grpc.NetworkServiceStub(channel)
    with pytest.raises(grpc.RpcError):
        stub.DeleteNetwork(
            network_service_pb2.DeleteNetworkRequest(), metadata=good_metadata, timeout=10
        )

    assert 1 == networks.calls["DeleteNetwork"]


def test_call_that_takes_too_long_is_ended_and_not_repeated(
    channel: grpc.Channel, good_metadata: Metadata
) -> None:
    """A call without a deadline gets the gateway's, and a status that invites no retry."""
    stub = network_service_pb2_grpc.NetworkServiceStub(channel)

    with pytest.raises(grpc.RpcError) as caught:
        stub.ListNetworks(
            network_service_pb2.ListNetworksRequest(), metadata=good_metadata, timeout=30
        )

    status = rpc_status.from_call(caught.value)
    assert grpc.StatusCode.DEADLINE_EXCEEDED == caught.value.code()
    assert caught.value.details() == status.message


def test_message_of_sixteen_mebibytes_passes(
    channel: grpc.Channel, good_metadata: Metadata
) -> None:
    """The largest message that services take gets through."""
    arrived = create_network(channel, good_metadata, 16 * MEBIBYTE)

    assert 16 * MEBIBYTE < int(arrived)


def test_message_that_is_too_large_ends_in_an_error(
    channel: grpc.Channel, good_metadata: Metadata
) -> None:
    """A message above the limit ends in RESOURCE_EXHAUSTED, and the next call works."""
    with pytest.raises(grpc.RpcError) as caught:
        create_network(channel, good_metadata, 200 * MEBIBYTE)

    assert grpc.StatusCode.RESOURCE_EXHAUSTED == caught.value.code()
    assert create_network(channel, good_metadata, 10)


def test_large_json_body_passes(gateway: Gateway, web: httpx.Client) -> None:
    """A JSON body of 15 MiB gets through the transcoder."""
    answer = web.post(
        "/v1/projects/p1/networks",
        json={"template": "x" * 15 * MEBIBYTE},
        headers={"authorization": gateway.bearer()},
    )

    assert 15 * MEBIBYTE < int(answer.json()["etag"])


def test_stream_answers_message_by_message(channel: grpc.Channel, good_metadata: Metadata) -> None:
    """A two-way stream gets each answer before the next frame is sent."""
    stub = learning_service_pb2_grpc.LearningServiceStub(channel)
    seen: list[int] = []

    def frames() -> object:
        for sequence in (1, 2, 3):
            assert sequence - 1 == len(seen)
            yield learning_service_pb2.LearnRequest(
                frame=learning_service_pb2.LearnFrame(sequence=sequence)
            )
            deadline = time.monotonic() + 5
            while len(seen) < sequence and time.monotonic() < deadline:
                time.sleep(0.001)

    for response in stub.Learn(frames(), metadata=good_metadata, timeout=20):
        seen.append(response.result.sequence)

    assert [1, 2, 3] == seen


def test_upload_streams_all_chunks(channel: grpc.Channel, good_metadata: Metadata) -> None:
    """A client stream of 40 MiB in chunks arrives whole."""
    chunk = dataset_service_pb2.UploadDatasetRequest(
        chunk=dataset_service_pb2.UploadChunk(data=b"x" * MEBIBYTE)
    )

    stub = dataset_service_pb2_grpc.DatasetServiceStub(channel)
    answer = stub.UploadDataset(iter([chunk] * 40), metadata=good_metadata, timeout=30)

    assert "40" == answer.name


def test_health_is_answered_without_a_token(channel: grpc.Channel) -> None:
    """The standard health check works through the gateway."""
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)

    assert health_pb2.HealthCheckResponse.SERVING == answer.status


def test_reflection_is_answered_without_a_token(channel: grpc.Channel) -> None:
    """Reflection, as grpcurl uses it, works through the gateway."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    question = reflection_pb2.ServerReflectionRequest(list_services="")

    answer = next(iter(stub.ServerReflectionInfo(iter([question]), timeout=10)))

    assert answer.list_services_response.service


def test_burst_of_logins_is_limited(gateway: Gateway, web: httpx.Client) -> None:
    """More logins at once than people can type end in 429 with a reason."""
    body = {"user_id": "alice", "password": "guess"}

    answers = [web.post("/v1/tokens:login", json=body) for _ in range(120)]

    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert "LIMIT_REACHED" == refused[0].json()["details"][0]["reason"]
    time.sleep(1.1)
    assert 200 == web.post("/v1/tokens:login", json=body).status_code


def test_access_log_is_json_without_query(gateway: Gateway, web: httpx.Client) -> None:
    """The access log holds one JSON object a line, and no query string."""
    web.get("/log-me?token=secret-value")

    deadline = time.monotonic() + 60
    lines: list[str] = []
    while time.monotonic() < deadline and not any("/log-me" in line for line in lines):
        time.sleep(0.05)
        lines = gateway.access_log.read_text().splitlines()
    entry = next(json.loads(line) for line in lines if "/log-me" in line)
    assert ("/log-me", 200) == (entry["path"], entry["response_code"])
    assert not any("secret-value" in line for line in lines)


@pytest.mark.parametrize(
    ("header", "bad", "good"),
    [
        ("grpc-timeout", "9" * 300 + "S", "20S"),
        ("grpc-timeout", "soon", "20S"),
        ("grpc-encoding", "snappy", "gzip"),
    ],
)
def test_one_callers_headers_are_no_trouble_for_others(
    gateway: Gateway, header: str, bad: str, good: str
) -> None:
    """A header that gRPC cannot read is refused, and the same one of others is read on."""
    path = "/hanami.torii.v1.MeshService/GetMeshStatus"
    headers = {"content-type": "application/grpc-web", "authorization": gateway.bearer()}

    def ask(value: str) -> httpx.Response:
        with httpx.Client(base_url=gateway.url, timeout=20) as client:
            return client.post(path, content=bytes(5), headers={**headers, header: value})

    refused = [ask(bad) for _ in range(3)]
    answered = [ask(good) for _ in range(6)]

    assert {400} == {answer.status_code for answer in refused}
    assert [True] * 6 == [b"grpc-status:0" in answer.content for answer in answered]
