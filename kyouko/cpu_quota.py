"""How many processors this process may use: the least of affinity and cgroup quota."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup/cpu.max")


def usable_processors(quota_file: Path = _CGROUP) -> int:
    """Return the number of threads that can compute at the same time, at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(count or 1, _quota_in(quota_file)))


def _quota_in(quota_file: Path) -> int:
    try:
        quota, period = quota_file.read_text(encoding="ascii").split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):
        # No cgroup v2 here, or "max": no quota.
        return 1 << 16
