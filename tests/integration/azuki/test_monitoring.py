"""azuki over the wire: a real server, a real misaki, the real machine."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from hanami.azuki.v1 import monitoring_service_pb2 as pb
from hanami.azuki.v1 import monitoring_service_pb2_grpc

from azuki.app import build
from azuki.settings import AzukiSettings
from mesh import status
from mesh.server import serving
from tests.integration.meshes import Metadata, RunningMisaki


@dataclass(frozen=True)
class RunningAzuki:
    """A real azuki, and what a caller needs."""

    address: str
    stub: "monitoring_service_pb2_grpc.MonitoringServiceAsyncStub"
    channel: grpc.aio.Channel
    metadata: Metadata

    async def machine(self) -> pb.Machine:
        """Ask for the machine."""
        return await self.stub.GetMachine(pb.GetMachineRequest(), metadata=self.metadata)

    async def measurements(
        self, *metrics: "pb.Metric.ValueType", **times: Timestamp
    ) -> list[pb.TimeSeries]:
        """Ask for measurements."""
        request = pb.GetMeasurementsRequest(metrics=metrics, **times)
        answer = await self.stub.GetMeasurements(request, metadata=self.metadata)
        return list(answer.series)

    async def eventually(
        self, metric: "pb.Metric.ValueType", subject: str, count: int
    ) -> pb.TimeSeries:
        """Return a series as soon as it has that many points."""
        async with asyncio.timeout(20):
            while True:
                for series in await self.measurements(metric):
                    if series.subject == subject and len(series.points) >= count:
                        return series
                await asyncio.sleep(0.05)


@asynccontextmanager
async def start_azuki(misaki: RunningMisaki, pid_files: Path) -> AsyncIterator[RunningAzuki]:
    """Run a real azuki that measures every tenth of a second."""
    settings = AzukiSettings(
        listen="127.0.0.1:0",
        misaki_address=misaki.address,
        process_directory=pid_files,
        interval_seconds=0.1,
        retention_seconds=30,
        max_watches_each=3,
        drain_seconds=5,
    )
    metadata = await misaki.admin()
    async with (
        build(settings) as application,
        serving(settings, application) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        stub = monitoring_service_pb2_grpc.MonitoringServiceStub(channel)
        yield RunningAzuki(f"127.0.0.1:{running.port}", stub, channel, metadata)


@pytest.fixture
async def azuki(misaki: RunningMisaki, tmp_path: Path) -> AsyncIterator[RunningAzuki]:
    """Run a real azuki beside a real misaki; both are this very process."""
    pid_files = tmp_path / "run"
    pid_files.mkdir()
    for service in ("azuki", "misaki"):
        (pid_files / f"{service}.pid").write_text(str(os.getpid()), encoding="utf-8")
    async with start_azuki(misaki, pid_files) as running:
        yield running


def error_info(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """Return the ErrorInfo of a failed call."""
    rich = rpc_status.from_call(error)
    assert rich is not None
    return status.error_info(rich)


async def test_the_machine_describes_itself(azuki: RunningAzuki) -> None:
    """Every metric of the contract is either measured or has a reason."""
    machine = await azuki.machine()

    listed = {entry.metric: entry for entry in machine.metrics}

    assert listed.keys() == {number for number in pb.Metric.values() if number}
    assert all(bool(entry.reason) != entry.available for entry in machine.metrics)
    assert machine.logical_cores == os.cpu_count()
    assert machine.memory_bytes > 0
    assert machine.interval.ToMilliseconds() == 100


async def test_measurements_grow_in_time(azuki: RunningAzuki) -> None:
    """A series has rising times, one value each interval."""
    series = await azuki.eventually(pb.METRIC_MEMORY_USED, "machine", 5)

    moments = [point.time.ToNanoseconds() for point in series.points]

    assert sorted(set(moments)) == moments
    assert 0.05 < (moments[-1] - moments[0]) / 1e9 / (len(moments) - 1) < 1
    assert all(point.value > 0 for point in series.points)


async def test_every_core_has_a_load(azuki: RunningAzuki) -> None:
    """There is one series of shares for each core."""
    await azuki.eventually(pb.METRIC_CPU_LOAD, "core-0", 3)

    series = await azuki.measurements(pb.METRIC_CPU_LOAD)

    assert {f"core-{core}" for core in range(os.cpu_count() or 1)} == {s.subject for s in series}
    assert all(0 <= point.value <= 1 for entry in series for point in entry.points)


async def test_services_are_measured_by_their_pid_files(azuki: RunningAzuki) -> None:
    """The services that run have CPU time that never falls, and memory."""
    series = await azuki.eventually(pb.METRIC_PROCESS_CPU_TIME, "misaki", 3)

    spent = [point.value for point in series.points]
    memory = await azuki.measurements(pb.METRIC_PROCESS_MEMORY)

    assert sorted(spent) == spent
    assert {"azuki", "misaki"} == {entry.subject for entry in memory}


async def test_a_span_selects_its_points(azuki: RunningAzuki) -> None:
    """Start is included, end is not."""
    series = await azuki.eventually(pb.METRIC_MEMORY_USED, "machine", 4)
    start, end = series.points[1].time, series.points[3].time

    (selected,) = await azuki.measurements(pb.METRIC_MEMORY_USED, start_time=start, end_time=end)

    assert list(series.points[1:3]) == list(selected.points)


async def test_a_turned_span_is_refused(azuki: RunningAzuki) -> None:
    """A span that ends before it starts names the field."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await azuki.measurements(
            start_time=Timestamp(seconds=2**40), end_time=Timestamp(seconds=2**40)
        )

    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(caught.value).reason == "FIELD_INVALID"
    assert "end_time" in (caught.value.details() or "")


async def test_an_unknown_metric_is_refused(azuki: RunningAzuki) -> None:
    """A number that the contract does not know is no metric."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await azuki.measurements(99)  # type: ignore[arg-type]  # that is the point

    assert error_info(caught.value).reason == "FIELD_INVALID"


async def test_asking_for_what_is_missing_tells_why(azuki: RunningAzuki) -> None:
    """Every metric that is not offered is refused with the reason that the machine gave."""
    missing = [entry for entry in (await azuki.machine()).metrics if not entry.available]

    refused = [await refusal(azuki, entry.metric) for entry in missing]

    assert all(error.code() == grpc.StatusCode.FAILED_PRECONDITION for error in refused)
    assert all(error_info(error).reason == "NOT_OFFERED" for error in refused)
    assert [e.reason for e in missing] == [error_info(e).metadata["because"] for e in refused]


async def refusal(azuki: RunningAzuki, metric: "pb.Metric.ValueType") -> grpc.aio.AioRpcError:
    """Return the error that asking for a metric ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await azuki.measurements(metric)
    return caught.value


async def test_watchers_get_every_interval(azuki: RunningAzuki) -> None:
    """Two watchers at once each see sample after sample of what they asked for."""

    async def first_three() -> list[pb.WatchMeasurementsResponse]:
        request = pb.WatchMeasurementsRequest(metrics=[pb.METRIC_MEMORY_USED])
        call = azuki.stub.WatchMeasurements(request, metadata=azuki.metadata)
        found = [await call.read() for _ in range(3)]
        call.cancel()
        return found

    async with asyncio.timeout(20):
        both = await asyncio.gather(first_three(), first_three())

    for answers in both:
        moments = [answer.series[0].points[0].time.ToNanoseconds() for answer in answers]
        assert sorted(set(moments)) == moments
        assert [["machine"]] * 3 == [[s.subject for s in answer.series] for answer in answers]


async def test_a_watcher_that_never_reads_holds_nobody_up(azuki: RunningAzuki) -> None:
    """Sampling and other watchers go on beside a client that does not read."""
    sleeping = azuki.stub.WatchMeasurements(pb.WatchMeasurementsRequest(), metadata=azuki.metadata)
    await sleeping.read()

    series = await azuki.eventually(pb.METRIC_MEMORY_USED, "machine", 10)
    sleeping.cancel()

    assert len(series.points) >= 10


async def test_nobody_watches_without_end(azuki: RunningAzuki) -> None:
    """The watch too many of a user is refused with the limit."""
    request = pb.WatchMeasurementsRequest()
    calls = [azuki.stub.WatchMeasurements(request, metadata=azuki.metadata) for _ in range(3)]
    for call in calls:
        await call.read()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await azuki.stub.WatchMeasurements(request, metadata=azuki.metadata).read()
    for call in calls:
        call.cancel()

    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error_info(caught.value).reason == "LIMIT_REACHED"
    assert error_info(caught.value).metadata["limit"] == "3"


async def test_stopping_ends_a_watch_with_a_reason(misaki: RunningMisaki, tmp_path: Path) -> None:
    """A watcher learns that azuki stops, at once and in words."""
    async with start_azuki(misaki, tmp_path) as azuki:
        channel = grpc.aio.insecure_channel(azuki.address)
        stub = monitoring_service_pb2_grpc.MonitoringServiceStub(channel)
        call = stub.WatchMeasurements(pb.WatchMeasurementsRequest(), metadata=azuki.metadata)
        await call.read()
        reading = asyncio.create_task(_read_to_the_end(call))
        started = asyncio.get_running_loop().time()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await reading
    await channel.close()

    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert error_info(caught.value).reason == "SHUTTING_DOWN"
    assert asyncio.get_running_loop().time() - started < 4


async def _read_to_the_end(call: "grpc.aio.UnaryStreamCall") -> None:  # type: ignore[type-arg]
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_nobody_measures_without_a_token(azuki: RunningAzuki) -> None:
    """The machine is no public matter."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await azuki.stub.GetMachine(pb.GetMachineRequest())

    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert error_info(caught.value).reason == "TOKEN_INVALID"


async def test_health_follows_the_sampling(azuki: RunningAzuki) -> None:
    """Health is SERVING while samples come, also under the full name."""
    health = health_pb2_grpc.HealthStub(azuki.channel)
    request = health_pb2.HealthCheckRequest(service="hanami.azuki.v1.MonitoringService")

    answer = await health.Check(request)

    assert health_pb2.HealthCheckResponse.SERVING == answer.status
