"""A real S3 server for tests, out of a wheel: no root, no Docker, a bucket for each test."""

import json
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

_START_SECONDS = 60.0
_PORTS = ("master", "volume", "filer", "s3")


@dataclass(frozen=True)
class S3Server:
    """A running server: where it is, and the keys of the one who may do everything."""

    endpoint: str
    access_key: str = "hanami"
    secret_key: str = "hanami-secret"

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the standard variables with which a client finds it."""
        return {
            "AWS_ENDPOINT": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        } | changes

    def new_bucket(self) -> str:
        """Return the name of a new bucket."""
        name = f"test-{uuid.uuid4().hex}"
        store = S3Store(
            name,
            endpoint=self.endpoint,
            access_key_id=self.access_key,
            secret_access_key=self.secret_key,
            region="us-east-1",
            client_options={"allow_http": True, "timeout": "5s"},
            retry_config={"max_retries": 0},
        )
        # The server makes the bucket with its first blob.
        obstore.put(store, "made", b"")
        return name


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Start a server on a new data folder; kills it and removes the folder at the end."""
    with tempfile.TemporaryDirectory(prefix="hanami-s3-", ignore_cleanup_errors=True) as folder:
        ports = _free_ports(2 * len(_PORTS))
        server = S3Server(f"http://127.0.0.1:{ports[_PORTS.index('s3')]}")
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(
                _command(server, Path(folder), ports), cwd=folder, stdout=log, stderr=log
            )
        try:
            _wait_until_it_stores(server, process, Path(folder) / "log")
            yield server
        finally:
            # It takes long to end by itself, and nothing of it is kept.
            process.kill()
            process.wait()


def _command(server: S3Server, folder: Path, ports: list[int]) -> list[str]:
    identity = {
        "name": "admin",
        "credentials": [{"accessKey": server.access_key, "secretKey": server.secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    return [
        str(Path(sys.executable).with_name("weed")),
        "server",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=400",
        "-s3",
        f"-s3.config={folder / 's3.json'}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        *(f"-{part}.port={ports[index]}" for index, part in enumerate(_PORTS)),
        *(f"-{part}.port.grpc={ports[index + 4]}" for index, part in enumerate(_PORTS)),
    ]


def _wait_until_it_stores(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            server.new_bucket()
        except BaseError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"no S3 server:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.2)
        else:
            return


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
