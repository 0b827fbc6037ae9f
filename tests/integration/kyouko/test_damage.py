"""Journals and snapshots that rot while kyouko is down: what is left, what is told."""

import hashlib
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from hanami.kyouko.v1 import learning_service_pb2 as pb
from hanami.kyouko.v1 import network_service_pb2

from tests.integration.kyouko.servers import (
    NETWORK,
    RunningKyouko,
    info_of,
    rows_of_two_kinds,
    start_kyouko,
)
from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import RunningShiori

INPUTS, LABELS = rows_of_two_kinds(400)
FRAME_ROWS = 10


class House:
    """A kyouko that can be started on its folder, or on a copy of it, again and again."""

    def __init__(self, misaki: RunningMisaki, shiori: RunningShiori, folder: Path) -> None:
        self.folder = folder
        self._misaki = misaki
        self._shiori = shiori

    @asynccontextmanager
    async def running(self) -> AsyncIterator[RunningKyouko]:
        """Run kyouko on the folder."""
        alice = self._shiori.alice
        async with start_kyouko(self._misaki, "127.0.0.1:1", self.folder, alice) as kyouko:
            yield kyouko

    def as_after_a_kill(self, folder: Path) -> "House":
        """Return a house with the files as they are on the disk at this moment."""
        shutil.copytree(self.folder, folder)
        return House(self._misaki, self._shiori, folder)

    def journal(self) -> Path:
        """Return the only segment there is."""
        [segment] = self.folder.glob("journal/*/*.journal")
        return segment

    def database(self) -> sqlite3.Connection:
        """Open kyouko's database; kyouko must not run."""
        [file] = self.folder.glob("*.db")
        return sqlite3.connect(file)

    def snapshots(self) -> tuple[Path, Path]:
        """Return the newest snapshot of the network and the one before."""
        query = "select snapshot, snapshot_before from networks where network_id = 'net'"
        with self.database() as database:
            names = database.execute(query).fetchone()
        newest, before = (self.folder / "snapshots" / name for name in names)
        return newest, before


@pytest.fixture
def house(misaki: RunningMisaki, shiori: RunningShiori, tmp_path: Path) -> House:
    """Return a house whose kyouko has not run yet."""
    return House(misaki, shiori, tmp_path / "kyouko")


async def teach(kyouko: RunningKyouko, first: int, last: int, network_id: str = "net") -> None:
    """Teach rows; all of them are durable at the end."""
    async with kyouko.stream(network_id=network_id) as stream:
        await stream.opened()
        for number, start in enumerate(range(first, last, FRAME_ROWS), 1):
            end = min(start + FRAME_ROWS, last)
            await stream.send(number, INPUTS[start:end], LABELS[start:end])
            assert "result" == (await stream.read()).WhichOneof("message")
        await stream.close()


async def outputs(kyouko: RunningKyouko, network_id: str = "net") -> bytes:
    """Return what a network says to all rows, bit for bit."""
    async with kyouko.stream(
        pb.LEARN_MODE_PREDICT, network_id=network_id, return_outputs=True
    ) as stream:
        await stream.opened()
        await stream.send(1, INPUTS)
        return (await stream.read()).result.outputs.SerializeToString()


async def equals_one_that_learned(kyouko: RunningKyouko, rows: int) -> None:
    """Prove that the network is, bit for bit, one that learned so many rows in peace."""
    await kyouko.create_network("twin")
    await teach(kyouko, 0, rows, "twin")
    # Whatever a crash left in the journal is there once a stream is open.
    said, said_by_twin = await outputs(kyouko), await outputs(kyouko, "twin")
    network, twin = await kyouko.network(), await kyouko.network("twin")

    assert rows == network.statistics.learned_rows == network.kept_rows
    assert list(twin.labels) == list(network.labels)
    assert said_by_twin == said


def flip(file: Path, place: float) -> None:
    """Change one byte of a file."""
    data = bytearray(file.read_bytes())
    data[int(len(data) * place)] ^= 0x55
    file.write_bytes(data)


async def test_a_journal_damaged_in_the_middle_is_told_and_the_good_part_served(
    house: House, tmp_path: Path
) -> None:
    """The network is as it was before the damage, says so, and goes on over two more starts."""
    async with house.running() as kyouko:
        await kyouko.create_network()
        await teach(kyouko, 0, 300)
        killed = house.as_after_a_kill(tmp_path / "killed")
    flip(killed.journal(), 0.5)
    segment = killed.journal().stem

    async with killed.running() as kyouko:
        await outputs(kyouko)
        found = await kyouko.network()
        learned = found.statistics.learned_rows
        await equals_one_that_learned(kyouko, learned)
        await teach(kyouko, learned, 350)
        before = await outputs(kyouko)
    async with killed.running() as kyouko:
        again = await kyouko.network()
        after = await outputs(kyouko)
        await teach(kyouko, 350, 400)
        last = await kyouko.network()

    assert 0 < learned < 300
    assert segment in found.problem
    assert "is lost" in found.problem
    assert (350, 350) == (again.kept_rows, again.statistics.learned_rows)
    assert before == after
    assert 400 == last.kept_rows


async def test_a_torn_tail_is_no_damage(house: House, tmp_path: Path) -> None:
    """Bytes that a crash left half-written are passed over: all durable rows are there."""
    async with house.running() as kyouko:
        await kyouko.create_network()
        await teach(kyouko, 0, 300)
        killed = house.as_after_a_kill(tmp_path / "killed")
    whole = killed.journal().read_bytes()
    killed.journal().write_bytes(whole + whole[-40:])

    async with killed.running() as kyouko:
        await equals_one_that_learned(kyouko, 300)
        found = await kyouko.network()

    assert "" == found.problem


async def test_a_record_cut_off_is_no_damage(house: House, tmp_path: Path) -> None:
    """What was being written when the power went is missing, and nothing else."""
    async with house.running() as kyouko:
        await kyouko.create_network()
        await teach(kyouko, 0, 300)
        killed = house.as_after_a_kill(tmp_path / "killed")
    killed.journal().write_bytes(killed.journal().read_bytes()[:-7])

    async with killed.running() as kyouko:
        await equals_one_that_learned(kyouko, 290)
        found = await kyouko.network()

    assert "" == found.problem


async def two_snapshots(house: House) -> bytes:
    """Run kyouko twice, each time with a snapshot at its end; returns what the network says."""
    async with house.running() as kyouko:
        await kyouko.create_network()
        await teach(kyouko, 0, 150)
    async with house.running() as kyouko:
        await kyouko.create_network("other")
        await teach(kyouko, 150, 300)
        return await outputs(kyouko)


def rot(file: Path) -> None:
    """Change one byte in the middle."""
    flip(file, 0.5)


def cut(file: Path) -> None:
    """Leave half of it."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("harm", [rot, cut, Path.unlink])
async def test_a_damaged_snapshot_costs_nothing(house: House, harm: Callable[[Path], None]) -> None:
    """The one before and the journal give the same network, bit for bit."""
    told = await two_snapshots(house)
    harm(house.snapshots()[0])

    async with house.running() as kyouko:
        now = await outputs(kyouko)
        found = await kyouko.network()
        await teach(kyouko, 300, 350)
        await equals_one_that_learned(kyouko, 350)

    assert told == now
    assert "" == found.problem


async def is_refused(kyouko: RunningKyouko) -> str:
    """Prove that the network is refused and told, and another one learns; returns the message."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        async with kyouko.stream() as stream:
            await stream.opened()
    info = info_of(error.value)
    shown = await kyouko.network()
    await teach(kyouko, 0, 50, "other")

    assert (grpc.StatusCode.UNAVAILABLE, "DEPENDENCY_UNAVAILABLE", "snapshots") == (
        error.value.code(),
        info.reason,
        info.metadata["dependency"],
    )
    assert 300 == shown.kept_rows
    assert 50 <= (await kyouko.network("other")).kept_rows
    return str(error.value.details())


async def test_without_any_good_snapshot_a_network_is_unavailable(house: House) -> None:
    """Nobody gets an empty network in its place; it comes back with its file, or is deleted."""
    await two_snapshots(house)
    newest, before = house.snapshots()
    good = newest.read_bytes()
    rot(newest)
    rot(before)

    async with house.running() as kyouko:
        message = await is_refused(kyouko)
    newest.write_bytes(good)
    async with house.running() as kyouko:
        await equals_one_that_learned(kyouko, 300)
    newest, before = house.snapshots()
    cut(newest)
    if before.exists():
        cut(before)
    async with house.running() as kyouko:
        request = network_service_pb2.DeleteNetworkRequest(name=NETWORK)
        await kyouko.networks.DeleteNetwork(request, metadata=kyouko.alice)
        await kyouko.create_network()
        await teach(kyouko, 0, 50)

    assert "damaged" in message


def make_newer(house: House, file: Path) -> None:
    """Turn a snapshot into one of a version that nobody knows yet."""
    data = file.read_bytes()
    version = rb"\"version\": 2"
    assert 1 == data.count(version)
    newer = data.replace(version, rb"\"version\": 9")
    digest = hashlib.blake2b(newer, digest_size=16).hexdigest()
    name = f"{file.parent.name}/{digest}.safetensors"
    (file.parent / Path(name).name).write_bytes(newer)
    with house.database() as database:
        for update in (
            "update networks set snapshot = ? where snapshot = ?",
            "update networks set snapshot_before = ? where snapshot_before = ?",
        ):
            database.execute(update, [name, f"{file.parent.name}/{file.name}"])


async def test_snapshots_of_a_newer_version_are_left_alone(house: House) -> None:
    """An older kyouko does not guess: the network is unavailable, and the version is named."""
    await two_snapshots(house)
    newest, before = house.snapshots()
    make_newer(house, newest)
    make_newer(house, before)
    newest, before = house.snapshots()
    stored = newest.read_bytes(), before.read_bytes()

    async with house.running() as kyouko:
        message = await is_refused(kyouko)

    assert "version 9" in message
    assert stored == (newest.read_bytes(), before.read_bytes())


async def test_one_snapshot_of_a_newer_version_is_passed_over(house: House) -> None:
    """The one before and the journal have all of it."""
    told = await two_snapshots(house)
    make_newer(house, house.snapshots()[0])

    async with house.running() as kyouko:
        now = await outputs(kyouko)

    assert told == now
