"""Services that prove to each other who they are, and refuse everybody else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hanami.misaki.v1 import user_service_pb2, user_service_pb2_grpc

from mesh.clients import channel_to
from mesh.tls import MeshTls
from tests.certificates import certificates_of
from tests.integration.mesh.garden import RunningGarden, planted

_TIMEOUT_SECONDS = 5


@asynccontextmanager
async def guarded(folder: Path, **settings: str) -> AsyncIterator[RunningGarden]:
    """Serve a garden that asks for certificates."""
    (files,) = certificates_of(folder, "garden")
    async with planted(tls_directory=files.folder, **settings) as garden:
        yield garden


def peer(folder: Path, name: str = "kyouko") -> MeshTls:
    """Return what a neighbour proves itself with."""
    (files,) = certificates_of(folder, name)
    return MeshTls.read(files.folder)


async def health_through(channel: grpc.aio.Channel) -> int:
    """Ask for the health of the garden."""
    async with channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_SECONDS
        )
    return int(answer.status)


async def refusal(channel: grpc.aio.Channel) -> grpc.StatusCode:
    """Return how the connection is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health_through(channel)
    return caught.value.code()


async def test_neighbour_with_a_certificate_is_served(tmp_path: Path) -> None:
    """Both ends show certificates of the mesh's authority."""
    async with guarded(tmp_path) as garden:
        channel = channel_to(
            f"127.0.0.1:{garden.running.port}", service="garden", tls=peer(tmp_path)
        )

        assert health_pb2.HealthCheckResponse.SERVING == await health_through(channel)


async def test_plain_client_is_refused(tmp_path: Path) -> None:
    """Who speaks no TLS gets nothing, not even the health."""
    async with guarded(tmp_path) as garden:
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{garden.running.port}")

        assert grpc.StatusCode.UNAVAILABLE == await refusal(channel)


async def test_client_without_a_certificate_is_refused(tmp_path: Path) -> None:
    """Knowing the authority is not enough."""
    async with guarded(tmp_path) as garden:
        channel = grpc.aio.secure_channel(
            f"localhost:{garden.running.port}",
            grpc.ssl_channel_credentials(peer(tmp_path).authority),
        )

        assert grpc.StatusCode.UNAVAILABLE == await refusal(channel)


async def test_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    """A certificate of the same name that another authority has signed opens nothing."""
    stranger = peer(tmp_path / "elsewhere")
    async with guarded(tmp_path / "here") as garden:
        credentials = grpc.ssl_channel_credentials(
            peer(tmp_path / "here").authority, stranger.private_key, stranger.certificate
        )
        channel = grpc.aio.secure_channel(f"localhost:{garden.running.port}", credentials)

        assert grpc.StatusCode.UNAVAILABLE == await refusal(channel)


async def test_service_in_the_place_of_another_is_refused(tmp_path: Path) -> None:
    """A client that looks for misaki does not talk to the garden, certificate or not."""
    async with guarded(tmp_path) as garden:
        channel = channel_to(
            f"127.0.0.1:{garden.running.port}", service="misaki", tls=peer(tmp_path)
        )

        assert grpc.StatusCode.UNAVAILABLE == await refusal(channel)


async def test_server_without_a_certificate_is_refused(tmp_path: Path) -> None:
    """A client with certificates does not talk to a server that speaks plainly."""
    async with planted() as garden:
        channel = channel_to(
            f"127.0.0.1:{garden.running.port}", service="garden", tls=peer(tmp_path)
        )

        assert grpc.StatusCode.UNAVAILABLE == await refusal(channel)


async def test_health_alone_can_have_a_plain_port(tmp_path: Path, free_port: int) -> None:
    """Probes that speak no TLS are told the health there, and nobody is told anything else."""
    address = f"127.0.0.1:{free_port}"
    async with guarded(tmp_path, health_listen=address):
        async with grpc.aio.insecure_channel(address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await user_service_pb2_grpc.UserServiceStub(channel).GetUser(
                    user_service_pb2.GetUserRequest(name="users/alice"), timeout=_TIMEOUT_SECONDS
                )
        health = await health_through(grpc.aio.insecure_channel(address))

    assert grpc.StatusCode.UNIMPLEMENTED == caught.value.code()
    assert health_pb2.HealthCheckResponse.SERVING == health
