"""What azuki reads from the machine itself."""

import os
import time
from pathlib import Path

from azuki.domain.measurements import Metric
from azuki.sensors.cpu import CoreLoads, missing_frequency_reason
from azuki.sensors.machine import MachineSensors
from azuki.sensors.processes import PidFiles, ProcessFinder


def pid_file(folder: Path, service: str, content: str) -> Path:
    """Write a service's pid file."""
    path = folder / f"{service}.pid"
    path.write_text(content, encoding="utf-8")
    return path


def test_a_pid_file_leads_to_its_process(tmp_path: Path) -> None:
    """The file's number is the process measured."""
    pid_file(tmp_path, "azuki", f"{os.getpid()}\n")

    process = PidFiles(tmp_path).find("azuki")

    assert process is not None
    assert process.pid == os.getpid()


def test_a_number_that_was_given_anew_is_not_the_service(tmp_path: Path) -> None:
    """A process that began after the pid file was written is another one."""
    path = pid_file(tmp_path, "azuki", str(os.getpid()))
    os.utime(path, (1.0, 1.0))

    assert PidFiles(tmp_path).find("azuki") is None


def test_missing_and_damaged_pid_files_mean_no_process(tmp_path: Path) -> None:
    """A service without a usable file is simply not measured."""
    pid_file(tmp_path, "kyouko", "not a number")

    files = PidFiles(tmp_path)

    assert files.find("misaki") is None
    assert files.find("kyouko") is None


def test_a_process_uses_time_and_memory(tmp_path: Path) -> None:
    """A living service has both readings; one that does not run has none."""
    pid_file(tmp_path, "azuki", str(os.getpid()))
    finder = ProcessFinder(["azuki", "misaki"], PidFiles(tmp_path))

    (usage,) = finder.usages()

    assert usage.service == "azuki"
    assert usage.cpu_seconds > 0
    assert usage.memory_bytes > 2**20


def test_loads_are_shares() -> None:
    """A core's load lies between idle and busy, and this process keeps one busy."""
    loads = CoreLoads()
    until = time.process_time() + 0.1
    while time.process_time() < until:
        sum(range(1000))

    found = loads.since_last_read()

    assert all(0.0 <= load <= 1.0 for load in found.values())
    assert max(found.values()) > 0.2


def test_a_guest_without_real_frequency_says_so(tmp_path: Path) -> None:
    """A nominal frequency is not passed off as a measured one."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text("flags : fpu sse\n", encoding="utf-8")

    assert "nominal" in missing_frequency_reason(tmp_path)


def test_scaling_files_are_a_real_frequency(tmp_path: Path) -> None:
    """Where the kernel scales frequency, it is measured."""
    folder = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq"
    folder.mkdir(parents=True)
    (folder / "scaling_cur_freq").write_text("2000000\n", encoding="utf-8")

    assert missing_frequency_reason(tmp_path) == ""


def test_every_offered_metric_of_the_machine_is_read(tmp_path: Path) -> None:
    """What the sensors claim to offer is in their readings; nothing else is."""
    pid_file(tmp_path, "azuki", str(os.getpid()))
    sensors = MachineSensors(ProcessFinder(["azuki"], PidFiles(tmp_path)))
    time.sleep(0.05)

    metrics = {reading.key.metric for reading in sensors.read()}

    assert set(Metric) - set(sensors.missing()) == metrics


def test_the_machine_has_a_name_cores_and_memory(tmp_path: Path) -> None:
    """The facts are those of a real machine."""
    facts = MachineSensors(ProcessFinder([], PidFiles(tmp_path))).facts()

    assert facts.host
    assert facts.processor
    assert facts.logical_cores >= max(facts.physical_cores, 1)
    assert facts.memory_bytes > 2**27
