"""Services as processes that can be killed, and what they leave on disk."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hanami.shiori.v1 import audit_service_pb2 as pb
from hanami.shiori.v1 import audit_service_pb2_grpc

from tests.integration.meshes import ADMIN_ID, ADMIN_PASSWORD, SERVICE_SECRET, Metadata

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def process(
    service: str, folder: Path, port: int, settings: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a service that serves when this begins; killed at the end if it still runs.

    Args:
        service: Its name.
        folder: For its files, and the secret beside them.
        port: Where it listens.
        settings: What differs in its environment. What it says is in a file beside the folder.
    """
    secret = folder.parent / "service-secret"
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text(SERVICE_SECRET, encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated")]),
        "HANAMI_LISTEN": f"127.0.0.1:{port}",
        "HANAMI_DATA_DIRECTORY": str(folder),
        "HANAMI_SERVICE_SECRET_FILE": str(secret),
        "HANAMI_ADMIN_USER_ID": ADMIN_ID,
        "HANAMI_ADMIN_USER_NAME": "Root",
        "HANAMI_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "HANAMI_PASSWORD_MEMORY_KIB": str(8 * 1024),
        "HANAMI_DRAIN_SECONDS": "1",
        **settings,
    }
    with (folder.parent / f"{service}.log").open("ab") as said:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", service, env=environment, stderr=said
        )
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            await stub.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=60)
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def kill(child: asyncio.subprocess.Process) -> None:
    """End a process as a power cut would."""
    child.kill()
    await child.wait()


async def stop(child: asyncio.subprocess.Process) -> None:
    """Ask a process to end, and wait for it."""
    child.terminate()
    await child.wait()


async def entries_until(
    channel: grpc.aio.Channel,
    metadata: Metadata,
    enough: Callable[[list[pb.AuditEntry]], bool],
    *,
    method: str = "",
) -> list[pb.AuditEntry]:
    """Read the audit log until it holds enough; returns all that fits the filter."""
    stub = audit_service_pb2_grpc.AuditServiceStub(channel)
    while True:
        try:
            found = await _all_entries(stub, metadata, method)
        except grpc.aio.AioRpcError as error:
            # Whoever has just been started again may close a connection once more.
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            found = []
        if enough(found):
            return found
        await asyncio.sleep(0.1)


async def _all_entries(
    stub: "audit_service_pb2_grpc.AuditServiceAsyncStub", metadata: Metadata, method: str
) -> list[pb.AuditEntry]:
    found: list[pb.AuditEntry] = []
    request = pb.ListAuditEntriesRequest(filter=pb.AuditFilter(method=method), page_size=1000)
    while True:
        page = await stub.ListAuditEntries(request, metadata=metadata, wait_for_ready=True)
        found += page.entries
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


def files_below(*folders: Path) -> Mapping[Path, bytes]:
    """Return what all files below some folders hold."""
    return {
        path: path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }
