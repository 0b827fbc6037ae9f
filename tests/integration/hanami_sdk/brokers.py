"""A real NATS server with JetStream, which is a real MQTT broker too."""

import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.conftest import free_port

_CONFIGURATION = """
server_name: bridge-test
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{folder}" }}
mqtt {{ listen: "127.0.0.1:{mqtt_port}", ack_wait: "2s" }}
"""


class NatsServer:
    """A server that keeps its files and ports over restarts."""

    def __init__(self, folder: Path) -> None:
        self.port, self.mqtt_port = free_port(), free_port()
        self._file = folder / "nats.conf"
        self._file.write_text(
            _CONFIGURATION.format(port=self.port, mqtt_port=self.mqtt_port, folder=folder)
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where NATS is spoken."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until both protocols are spoken."""
        binary = Path(sys.executable).parent / "nats-server"
        self._process = subprocess.Popen(
            [str(binary), "-c", str(self._file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 30
        for port in (self.port, self.mqtt_port):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)

    def kill(self) -> None:
        """End it without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
