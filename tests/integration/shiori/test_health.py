"""Health follows the database and the blob store."""

import shutil

from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.integration.shiori.servers import RunningShiori

SERVICE = "hanami.shiori.v1.DatasetService"


async def status_of(shiori: RunningShiori, name: str) -> str:
    """Return what the health service says of a name."""
    stub = health_pb2_grpc.HealthStub(shiori.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


async def wait_until_not_serving(shiori: RunningShiori, name: str) -> None:
    """Watch a name until it is NOT_SERVING."""
    stub = health_pb2_grpc.HealthStub(shiori.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=name))
    async for answer in watch:
        if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
            break
    watch.cancel()


async def test_healthy_service_says_so(shiori: RunningShiori) -> None:
    """The process, the service and both dependencies are SERVING."""
    names = ["", SERVICE, "dependencies.database", "dependencies.blobs"]

    assert ["SERVING"] * 4 == [await status_of(shiori, name) for name in names]


async def test_lost_blob_store_is_told(shiori: RunningShiori) -> None:
    """Without its blobs shiori does not serve, and says which dependency is missing."""
    shutil.rmtree(shiori.folder / "blobs")

    await wait_until_not_serving(shiori, SERVICE)

    assert "NOT_SERVING" == await status_of(shiori, "dependencies.blobs")
    assert "SERVING" == await status_of(shiori, "dependencies.database")
