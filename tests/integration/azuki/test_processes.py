"""How azuki finds the processes of services, with real processes that come and go."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from azuki.domain.measurements import Metric, Reading
from azuki.sensors.machine import MachineSensors
from azuki.sensors.processes import CommandLines, PidFiles, ProcessFinder

# A name that no other process on the machine has.
SERVICE = "azukitestservice"
# Works for a moment, says so, and waits to be ended.
PROGRAM = """
import sys, time
until = time.process_time() + 0.05
while time.process_time() < until:
    pass
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the service as `python -m azukitestservice`; kill it at the end."""
    (folder / f"{SERVICE}.py").write_text(PROGRAM, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", SERVICE],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def cpu_seconds(readings: list[Reading]) -> list[float]:
    """Return the CPU times among readings."""
    return [r.value for r in readings if r.key.metric == Metric.PROCESS_CPU_TIME]


def test_a_restarted_service_goes_on_where_it_was(tmp_path: Path) -> None:
    """The series ends while the service is down, and goes on higher when it is back."""
    pid_file = tmp_path / f"{SERVICE}.pid"
    sensors = MachineSensors(ProcessFinder([SERVICE], PidFiles(tmp_path)))

    with running(tmp_path) as first:
        pid_file.write_text(str(first.pid), encoding="utf-8")
        before = cpu_seconds(list(sensors.read()))
    down = cpu_seconds(list(sensors.read()))
    with running(tmp_path) as second:
        pid_file.write_text(str(second.pid), encoding="utf-8")
        after = cpu_seconds(list(sensors.read()))

    assert [1, 0, 1] == [len(before), len(down), len(after)]
    assert before[0] >= 0.04
    assert after[0] >= before[0] + 0.04


def test_a_service_is_found_by_its_command_line(tmp_path: Path) -> None:
    """Without pid files, `python -m <service>` tells a service."""
    with running(tmp_path) as process:
        (usage,) = ProcessFinder([SERVICE, "nosuchservice"], CommandLines()).usages()

    assert (SERVICE, process.pid) == (usage.service, usage.process.pid)
    assert usage.cpu_seconds >= 0.04


def test_other_programs_may_have_the_same_option(tmp_path: Path) -> None:
    """Only Python runs modules with `-m`; to others it means something else."""
    command = ["/bin/sh", "-c", "echo ready; read line", "-m", SERVICE]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        found = [CommandLines().find(SERVICE)]
        other.kill()
    with running(tmp_path):
        found.append(CommandLines().find(SERVICE))

    assert found[0] is None
    assert found[1] is not None


def test_of_several_the_oldest_is_taken(tmp_path: Path) -> None:
    """A second mesh on the machine does not take over the series of the first."""
    with running(tmp_path) as first, running(tmp_path):
        (usage,) = ProcessFinder([SERVICE], CommandLines()).usages()

    assert usage.process.pid == first.pid


def test_all_processes_are_searched_now_and_then_only(tmp_path: Path) -> None:
    """A new process is found a few seconds later, not by a search at every reading."""
    moments = iter([0.0, 0.0, 1.0, 6.0, 6.0])
    finder = CommandLines(now=lambda: next(moments))
    assert finder.find(SERVICE) is None

    with running(tmp_path) as process:
        soon = finder.find(SERVICE)
        later = finder.find(SERVICE)

    assert soon is None
    assert later is not None
    assert later.pid == process.pid


def test_a_zombie_is_no_living_service(tmp_path: Path) -> None:
    """A process that has ended, and nobody has waited for, is not measured."""
    pid_file = tmp_path / f"{SERVICE}.pid"
    with running(tmp_path) as process:
        pid_file.write_text(str(process.pid), encoding="utf-8")
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        found = PidFiles(tmp_path).find(SERVICE)

    assert found is None
