"""A real NATS server for tests, out of a wheel: no root, no Docker, JetStream in a folder."""

import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_START_SECONDS = 30.0


@dataclass
class NatsServer:
    """A server that can be killed and started again on the same port and folder.

    Attributes:
        arguments: more of them for its command line.
        has_jetstream: whether it keeps streams.
    """

    folder: Path
    arguments: Sequence[str] = ()
    has_jetstream: bool = True
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers; a free port is found at the first time."""
        self.port = self.port or _free_port()
        streams = ["-js", "-sd", str(self.folder / "streams")] if self.has_jetstream else []
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("nats-server")),
                    *("-a", "127.0.0.1", "-p", str(self.port)),
                    *streams,
                    *self.arguments,
                ],
                stdout=output,
                stderr=output,
            )
        end = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"no NATS server:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it without a warning."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in peace."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                return re.match(rb"INFO ", connection.recv(5)) is not None
        except OSError:
            return False


def until_it_listens(port: int) -> None:
    """Wait until somebody takes connections on a port of this machine."""
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def running_nats(arguments: Sequence[str] = ()) -> Iterator[NatsServer]:
    """Start a server on a new folder; stops it and removes the folder at the end."""
    with tempfile.TemporaryDirectory(prefix="hanami-nats-", ignore_cleanup_errors=True) as folder:
        server = NatsServer(Path(folder), arguments)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
