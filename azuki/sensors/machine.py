"""Everything azuki measures, read through psutil; implements the port `Sensors`."""

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from azuki.domain.counters import ContinuedCounter
from azuki.domain.measurements import MACHINE, MachineFacts, Metric, Reading, SeriesKey
from azuki.sensors.cpu import CoreLoads, frequencies, missing_frequency_reason
from azuki.sensors.processes import ProcessFinder
from azuki.sensors.temperature import missing_temperature_reason, temperatures


class MachineSensors:
    """The sensors of the machine that azuki runs on."""

    def __init__(self, processes: ProcessFinder) -> None:
        self._processes = processes
        self._cpu_times = ContinuedCounter()
        self._loads = CoreLoads()
        reasons = {
            Metric.CPU_FREQUENCY: missing_frequency_reason(),
            Metric.TEMPERATURE: missing_temperature_reason(),
        }
        self._missing = {metric: reason for metric, reason in reasons.items() if reason}

    def facts(self) -> MachineFacts:
        """Return what the machine is."""
        return MachineFacts(
            host=platform.node(),
            processor=_processor_name(),
            logical_cores=psutil.cpu_count() or 1,
            physical_cores=psutil.cpu_count(logical=False) or 0,
            memory_bytes=psutil.virtual_memory().total,
        )

    def missing(self) -> Mapping[Metric, str]:
        """Return the metrics not offered here, each with the reason."""
        return self._missing

    def read(self) -> Sequence[Reading]:
        """Return one reading of everything that can be read now."""
        readings = [*_per_core(Metric.CPU_LOAD, self._loads.since_last_read())]
        readings.append(_memory())
        readings.extend(self._of_processes())
        if Metric.CPU_FREQUENCY not in self._missing:
            readings.extend(_per_core(Metric.CPU_FREQUENCY, frequencies()))
        if Metric.TEMPERATURE not in self._missing:
            readings.extend(
                Reading(SeriesKey(Metric.TEMPERATURE, sensor), value)
                for sensor, value in temperatures()
            )
        return readings

    def _of_processes(self) -> list[Reading]:
        readings: list[Reading] = []
        for usage in self._processes.usages():
            total = self._cpu_times.total(usage.service, usage.process, usage.cpu_seconds)
            readings.append(Reading(SeriesKey(Metric.PROCESS_CPU_TIME, usage.service), total))
            readings.append(
                Reading(SeriesKey(Metric.PROCESS_MEMORY, usage.service), usage.memory_bytes)
            )
        return readings


def _memory() -> Reading:
    # What is not available to a new program; caches that give way do not count.
    memory = psutil.virtual_memory()
    return Reading(SeriesKey(Metric.MEMORY_USED, MACHINE), memory.total - memory.available)


def _per_core(metric: Metric, values: Mapping[int, float]) -> list[Reading]:
    return [Reading(SeriesKey(metric, f"core-{core}"), value) for core, value in values.items()]


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()
