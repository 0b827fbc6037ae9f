"""Serves `hanami.azuki.v1.MonitoringService`."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from hanami.azuki.v1 import monitoring_service_pb2 as pb
from hanami.azuki.v1 import monitoring_service_pb2_grpc

from azuki import convert
from azuki.domain.monitor import Monitor
from mesh.calls import current_caller

Context = grpc.aio.ServicerContext[Any, Any]


class MonitoringServicer(monitoring_service_pb2_grpc.MonitoringServiceServicer):
    """Tells what a monitor knows."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    async def GetMachine(self, request: pb.GetMachineRequest, context: Context) -> pb.Machine:
        """Describe the machine."""
        return convert.machine_message(self._monitor.machine())

    async def GetMeasurements(
        self, request: pb.GetMeasurementsRequest, context: Context
    ) -> pb.GetMeasurementsResponse:
        """Return measurements of the recent past."""
        metrics = convert.metrics_of(request.metrics)
        series = self._monitor.measurements(metrics, convert.time_range_of(request))
        return convert.measurements_message(series)

    async def WatchMeasurements(
        self, request: pb.WatchMeasurementsRequest, context: Context
    ) -> AsyncIterator[pb.WatchMeasurementsResponse]:
        """Stream measurements as they are taken."""
        metrics = convert.metrics_of(request.metrics)
        name = current_caller().principal.name
        async for sample in self._monitor.watch(metrics, name=name):
            yield convert.sample_message(sample)
