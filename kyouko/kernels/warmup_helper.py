"""A second process that compiles kernels while this one compiles others.

numba compiles in one thread at a time. Two processes meet in its cache on disk, and a kernel that
both compile is the same one: each file is written aside and then put in its place.
"""

import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kyouko.kernels.compile import cache_folder

__all__ = ["helper", "work_as_helper"]

_log = logging.getLogger(__name__)


@contextmanager
def helper(module: str) -> Iterator[subprocess.Popen[bytes] | None]:
    """Run `python -m module` beside the block, and wait for it after the block.

    If it fails, or cannot be started, its kernels are missing in the cache, and whoever calls them
    compiles them: that costs time only. It is logged, and an error in a kernel shows there again.
    """
    with tempfile.TemporaryFile() as errors:
        try:
            process = _start(module, errors)
        except OSError:
            _log.warning("no helper could be started", exc_info=True)
            yield None
            return
        with process:
            try:
                yield process
                process.wait()
            finally:
                process.kill()
        if process.returncode != 0:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()
            _log.warning("a helper ended with %d: %s", process.returncode, said)


def _start(module: str, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "NUMBA_CACHE_DIR": str(cache_folder().parent),
    }
    # -P: nothing in the current folder is taken for a module.
    command = [sys.executable, "-P", "-m", module]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stderr=errors)


def work_as_helper(work: Callable[[], object]) -> None:
    """Work until the work is done or the process that asked for it is gone, however it ended."""
    # Ctrl-C in a terminal reaches both; the other one ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    work()


def _leave_with_parent() -> None:
    """Wait for the end of standard input, which the other process holds open."""
    # No file object: a thread that waits in one keeps the interpreter from ending.
    os.read(0, 1)
    os._exit(1)
