"""What a project leaves behind goes with it, in every service, also in one that was away."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from hanami.kyouko.v1 import network_service_pb2
from hanami.misaki.v1 import project_service_pb2
from hanami.shiori.v1 import dataset_service_pb2

from tests.integration.kyouko.servers import (
    PARENT,
    RunningKyouko,
    Stream,
    info_of,
    rows_of_two_kinds,
    start_kyouko,
    upload_two_kinds,
)
from tests.integration.meshes import Metadata, RunningMisaki
from tests.integration.shiori.servers import RunningShiori, start_shiori

PATIENCE_SECONDS = 60.0
INPUTS, LABELS = rows_of_two_kinds()


@dataclass(frozen=True)
class Places:
    """Where the services of a mesh keep their things."""

    misaki: RunningMisaki
    folder: Path
    alice: Metadata

    @asynccontextmanager
    async def shiori(self) -> AsyncIterator[RunningShiori]:
        """Run shiori, which hears of changes."""
        secret = self.misaki.service_secret_file
        async with start_shiori(
            self.misaki, self.folder / "shiori", self.alice, service_secret_file=secret
        ) as running:
            yield running

    @asynccontextmanager
    async def kyouko(self, shiori: RunningShiori) -> AsyncIterator[RunningKyouko]:
        """Run kyouko."""
        address = f"127.0.0.1:{shiori.running.port}"
        async with start_kyouko(
            self.misaki, address, self.folder / "kyouko", self.alice
        ) as running:
            yield running

    def left(self) -> dict[str, int]:
        """Return how many files there are of networks and data sets."""
        places = {
            "journals": self.folder / "kyouko" / "journal",
            "snapshots": self.folder / "kyouko" / "snapshots",
            "tables": self.folder / "shiori" / "blobs" / "tables",
        }
        return {
            name: sum(
                path.is_file() and path.name not in ("lock", "store") for path in place.rglob("*")
            )
            for name, place in places.items()
        }


@pytest.fixture
async def places(misaki: RunningMisaki, tmp_path: Path) -> Places:
    """Make the projects `flowers`, with alice as a member, and `rocks`."""
    await misaki.create_project("flowers")
    await misaki.create_project("rocks")
    return Places(misaki, tmp_path, await misaki.create_user("alice", flowers="MEMBER"))


async def fill(kyouko: RunningKyouko, shiori: RunningShiori) -> None:
    """Make networks that have learned, and data sets."""
    await upload_two_kinds(shiori)
    for network_id in ("net", "other"):
        await kyouko.create_network(network_id)
        await kyouko.finish(await kyouko.create_task("kinds", network_id=network_id))
    await kyouko.networks.SnapshotNetwork(
        network_service_pb2.SnapshotNetworkRequest(name=f"{PARENT}/networks/net"),
        metadata=kyouko.alice,
    )


async def delete_project(misaki: RunningMisaki) -> None:
    """Delete the project."""
    request = project_service_pb2.DeleteProjectRequest(name=PARENT)
    await misaki.projects.DeleteProject(request, metadata=await misaki.admin())


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something to become so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.05)


async def reason_of(call: Awaitable[object]) -> str:
    """Return what a call fails with; empty when it does not."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return str(info_of(error).reason)
    return ""


async def end_of(stream: Stream) -> str:
    """Read a stream until it fails; returns the reason."""
    while not (reason := await reason_of(stream.read())):
        pass
    return reason


def is_bare(places: Places) -> Callable[[], bool]:
    """Return the question whether nothing is left on the disk."""
    return lambda: set(places.left().values()) == {0}


async def test_networks_and_data_sets_go_with_their_project(places: Places) -> None:
    """Streams end, files go, admins find nothing either; and nothing new can be made."""
    async with places.shiori() as shiori, places.kyouko(shiori) as kyouko:
        await fill(kyouko, shiori)
        async with kyouko.stream() as stream:
            await stream.opened()
            await stream.send(1, INPUTS[:8], LABELS[:8])
            await stream.read()
            before = places.left()

            await delete_project(places.misaki)

            end = await end_of(stream)
        await until(is_bare(places))
        admin = await places.misaki.admin()
        listing = network_service_pb2.ListNetworksRequest(parent=PARENT)
        reasons = [
            await reason_of(kyouko.networks.ListNetworks(listing, metadata=admin)),
            await reason_of(kyouko.create_network("again", metadata=admin)),
            await reason_of(
                shiori.stub.ListDatasets(
                    dataset_service_pb2.ListDatasetsRequest(parent=PARENT), metadata=admin
                )
            ),
        ]

    assert all(count > 0 for count in before.values()), before
    assert end in ("TOKEN_REVOKED", "RESOURCE_NOT_FOUND")
    assert ["RESOURCE_NOT_FOUND"] * 3 == reasons


async def test_services_that_were_away_clear_up_when_they_are_back(places: Places) -> None:
    """Both were down when the project was deleted, and hear of it at their next start."""
    async with AsyncExitStack() as stack:
        shiori = await stack.enter_async_context(places.shiori())
        kyouko = await stack.enter_async_context(places.kyouko(shiori))
        await fill(kyouko, shiori)
    before = places.left()
    await delete_project(places.misaki)
    meanwhile = places.left()

    async with places.shiori() as shiori, places.kyouko(shiori):
        await until(is_bare(places))

    assert before == meanwhile
    assert all(count > 0 for count in before.values()), before


async def test_other_projects_keep_what_they_have(places: Places) -> None:
    """Only what belongs to the deleted project is cleared away."""
    request = project_service_pb2.DeleteProjectRequest(name="projects/rocks")
    async with places.shiori() as shiori, places.kyouko(shiori) as kyouko:
        await fill(kyouko, shiori)
        admin = await places.misaki.admin()
        rock = network_service_pb2.CreateNetworkRequest(
            parent="projects/rocks", network_id="rock", template="templates/flat", channels=1
        )
        await kyouko.networks.CreateNetwork(rock, metadata=admin)

        await places.misaki.projects.DeleteProject(request, metadata=admin)

        name = network_service_pb2.GetNetworkRequest(name="projects/rocks/networks/rock")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while await reason_of(kyouko.networks.GetNetwork(name, metadata=admin)) == "":
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        listing = network_service_pb2.ListNetworksRequest(parent=PARENT)
        kept = await kyouko.networks.ListNetworks(listing, metadata=admin)
        rows = await shiori.names()

    assert [f"{PARENT}/networks/net", f"{PARENT}/networks/other"] == [n.name for n in kept.networks]
    assert [f"{PARENT}/datasets/kinds"] == rows
