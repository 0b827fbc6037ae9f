"""How much memory this process may use: the least of the machine's and the cgroup's."""

from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup/memory.max")


def usable_memory(quota_file: Path = _CGROUP) -> int:
    """Return bytes."""
    return min(int(psutil.virtual_memory().total), _quota_in(quota_file))


def _quota_in(quota_file: Path) -> int:
    try:
        return int(quota_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        # No cgroup v2 here, or "max": no quota.
        return 1 << 62
