"""Data sets that are encrypted at rest: read as ever, and never changed unnoticed."""

import base64
from pathlib import Path

import grpc
import pytest
from hanami.shiori.v1 import dataset_service_pb2 as pb

from mesh.encryption.keys import KeyEncryptionKey
from mesh.tensors import array_of
from tests.integration.meshes import Metadata, RunningMisaki
from tests.integration.shiori.servers import RunningShiori, reason_of, start_shiori

OLD, NEW = b"o" * 32, b"n" * 32
ROWS = 30_000
CSV = "a,kind\n" + "".join(
    f"{row},{'chrysanthemum' if row % 3 else 'daisy'}\n" for row in range(ROWS)
)


@pytest.fixture
async def alice(misaki: RunningMisaki) -> Metadata:
    """Return the metadata of a member of the project."""
    await misaki.create_project("flowers")
    return await misaki.create_user("alice", flowers="MEMBER")


def keys(*given: bytes) -> str:
    """Return keys as the setting has them."""
    return " ".join(base64.b64encode(key).decode() for key in given)


def table_file(folder: Path) -> Path:
    """Return the file of the only table."""
    (found,) = (folder / "blobs" / "tables").iterdir()
    return found


async def numbers(shiori: RunningShiori, start: int, count: int) -> list[float]:
    """Return the column `a` of some rows."""
    answers = await shiori.read("flowers", columns=["a"], start_row=start, row_limit=count)
    return [
        float(value)
        for answer in answers
        for value in array_of(answer.columns[0].tensor, field="a")[:, 0]
    ]


async def test_data_set_is_read_in_ranges_and_shows_nothing_on_the_disk(
    misaki: RunningMisaki, alice: Metadata, tmp_path: Path
) -> None:
    """Rows from the middle are those that were uploaded, and no word of them stands in the file."""
    async with start_shiori(misaki, tmp_path, alice, encryption_keys=keys(OLD)) as shiori:
        dataset = await shiori.upload_csv("flowers", CSV)
        rows = await numbers(shiori, 17_000, 50)

    stored = table_file(tmp_path).read_bytes()
    assert [float(row) for row in range(17_000, 17_050)] == rows
    assert ROWS == dataset.row_count
    assert stored.startswith(b"HANAMIE\0")
    assert b"chrysanthemum" not in stored
    assert b"PAR1" not in stored


async def test_data_set_from_before_the_key_is_read(
    misaki: RunningMisaki, alice: Metadata, tmp_path: Path
) -> None:
    """A key that comes later takes nothing away; new data sets are encrypted."""
    async with start_shiori(misaki, tmp_path, alice) as shiori:
        await shiori.upload_csv("flowers", CSV)

    async with start_shiori(misaki, tmp_path, alice, encryption_keys=keys(OLD)) as shiori:
        rows = await numbers(shiori, 0, 2)

    assert [0.0, 1.0] == rows
    assert table_file(tmp_path).read_bytes().startswith(b"PAR1")


async def test_wrong_key_ends_the_start(
    misaki: RunningMisaki, alice: Metadata, tmp_path: Path
) -> None:
    """The message names the key that is needed, and with it all is well again."""
    async with start_shiori(misaki, tmp_path, alice, encryption_keys=keys(OLD)) as shiori:
        await shiori.upload_csv("flowers", CSV)

    with pytest.raises(SystemExit) as caught:
        async with start_shiori(misaki, tmp_path, alice, encryption_keys=keys(NEW)):
            pass
    async with start_shiori(misaki, tmp_path, alice, encryption_keys=keys(NEW, OLD)) as shiori:
        rows = await numbers(shiori, 5, 1)

    needed, known = (KeyEncryptionKey(key).id.hex() for key in (OLD, NEW))
    assert f"encrypted with the key {needed}; the keys known here: {known}" in str(caught.value)
    assert [5.0] == rows


@pytest.mark.parametrize("place", [60, -1, -40_000])
async def test_changed_table_is_told(
    misaki: RunningMisaki, alice: Metadata, tmp_path: Path, place: int
) -> None:
    """A flipped bit in the header, at the end or in the rows ends in words, and not in rows."""
    async with start_shiori(misaki, tmp_path, alice, encryption_keys=keys(OLD)) as shiori:
        await shiori.upload_csv("flowers", CSV)
        file = table_file(tmp_path)
        changed = bytearray(file.read_bytes())
        changed[place] ^= 1
        file.write_bytes(changed)

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await numbers(shiori, 0, ROWS)
        described = await shiori.stub.GetDataset(
            pb.GetDatasetRequest(name="projects/flowers/datasets/flowers"), metadata=alice
        )

    assert grpc.StatusCode.UNAVAILABLE == caught.value.code()
    assert "cannot be decrypted" in str(caught.value.details())
    assert "DEPENDENCY_UNAVAILABLE" == reason_of(caught.value).reason
    assert ROWS == described.row_count
