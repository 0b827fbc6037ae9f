"""Stays for as long as Envoy runs.

Envoy asks the system to end it when the thread that started it ends, so it cannot
be left behind by a command. This process starts it from its main thread, passes
signals on, and ends as Envoy ends. It needs nothing but the standard library:
`python -I -S envoy_keeper.py PID_FILE ENVOY ARGUMENT...`
"""

import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType


def main(pid_file: Path, command: list[str]) -> int:
    """Run Envoy to its end; returns its exit code, 128 + number when a signal ended it."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, pass_on)
    # Tells who measures processes where to look.
    pid_file.write_text(f"{process.pid}\n", encoding="ascii")
    code = process.wait()
    pid_file.unlink(missing_ok=True)
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
