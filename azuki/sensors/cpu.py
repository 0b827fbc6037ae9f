"""Load and frequency of every core."""

from collections.abc import Mapping
from pathlib import Path

import psutil

_CPUINFO = Path("/proc/cpuinfo")
_CPUFREQ = "sys/devices/system/cpu"


class CoreLoads:
    """The share of time each core was busy, between one read and the next."""

    def __init__(self) -> None:
        self._last = _busy_and_total()

    def since_last_read(self) -> Mapping[int, float]:
        """Return the loads by core, 0 to 1; a core without a clock tick since is left out."""
        before, now = self._last, _busy_and_total()
        self._last = now
        loads: dict[int, float] = {}
        for core, (busy, total) in now.items():
            busy_before, total_before = before.get(core, (busy, total))
            if total > total_before:
                share = (busy - busy_before) / (total - total_before)
                # Kernels correct idle times backwards now and then.
                loads[core] = min(max(share, 0.0), 1.0)
        return loads


def _busy_and_total() -> dict[int, tuple[float, float]]:
    times: dict[int, tuple[float, float]] = {}
    for core, spent in enumerate(psutil.cpu_times(percpu=True)):
        # Linux counts guests' time within user and nice as well.
        guests = getattr(spent, "guest", 0.0) + getattr(spent, "guest_nice", 0.0)
        total = sum(spent) - guests
        times[core] = (total - spent.idle - getattr(spent, "iowait", 0.0), total)
    return times


def frequencies() -> Mapping[int, float]:
    """Return the frequency of each core now, in hertz."""
    found = psutil.cpu_freq(percpu=True)
    return {core: entry.current * 1e6 for core, entry in enumerate(found) if entry.current}


def missing_frequency_reason(root: Path = Path("/")) -> str:
    """Return why frequencies cannot be measured here; empty when they can.

    Args:
        root: Where the file system begins.
    """
    if not hasattr(psutil, "cpu_freq"):
        return "psutil does not know how to read it on this operating system"
    if not frequencies():
        return "the operating system does not tell it"
    if any((root / _CPUFREQ).glob("cpu[0-9]*/cpufreq/scaling_cur_freq")):
        return ""
    try:
        flags = (root / "proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    # A guest sees a fixed number there; the counters of real frequency are the host's.
    if "aperfmperf" not in flags:
        return "the processor tells its nominal frequency only, as virtual machines do"
    return ""
