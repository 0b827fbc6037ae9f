"""Data sets whose tables lie on a real S3 server."""

from contextlib import ExitStack
from pathlib import Path

import grpc
import numpy as np
import obstore
import pytest
from hanami.shiori.v1 import dataset_service_pb2 as pb
from obstore.store import S3Store

from mesh.tensors import array_of
from tests.integration.meshes import RunningMisaki
from tests.integration.shiori.servers import reason_of, start_shiori
from tests.integration.shiori.test_health import SERVICE, status_of, wait_until_not_serving
from tests.integration.shiori.test_process import end_of, process
from tests.s3 import S3Server, running_s3

ROWS = 20_000
CSV = "a,b\n" + "".join(f"{row},{row / 2}\n" for row in range(ROWS))


def use(server: S3Server, monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    """Set the standard variables of a client of the server."""
    for name, value in server.environment(**changes).items():
        monkeypatch.setenv(name, value)


async def test_data_set_lives_in_a_bucket(
    misaki: RunningMisaki, s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upload, a read of a range, a restart and a delete work without any table on the disk."""
    await misaki.create_project("flowers")
    alice = await misaki.create_user("alice", flowers="MEMBER")
    use(s3_server, monkeypatch)
    url = f"s3://{s3_server.new_bucket()}/data/sets"
    bucket = S3Store.from_url(url)

    async with start_shiori(misaki, tmp_path, alice, blob_url=url) as shiori:
        dataset = await shiori.upload_csv("numbers", CSV)
        files = shiori.tables()
    async with start_shiori(misaki, tmp_path, alice, blob_url=url) as shiori:
        answers = await shiori.read("numbers", start_row=15_000, row_limit=100)
        stored = {blob["path"] for blob in obstore.list(bucket).collect()}
        await shiori.stub.DeleteDataset(pb.DeleteDatasetRequest(name=dataset.name), metadata=alice)
        left = {blob["path"] for blob in obstore.list(bucket).collect()}

    rows = np.concatenate([array_of(answer.columns[0].tensor, field="a") for answer in answers])
    assert list(range(15_000, 15_100)) == rows[:, 0].tolist()
    assert [] == files
    assert {"shiori/store", f"shiori/tables/{dataset.sha256}.parquet"} == stored
    assert {"shiori/store"} == left


async def test_lost_server_is_told(
    misaki: RunningMisaki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the server dies shiori does not serve, and calls end in UNAVAILABLE."""
    await misaki.create_project("flowers")
    alice = await misaki.create_user("alice", flowers="MEMBER")
    with ExitStack() as stack:
        server = stack.enter_context(running_s3())
        use(server, monkeypatch)
        url = f"s3://{server.new_bucket()}"
        async with start_shiori(misaki, tmp_path, alice, blob_url=url) as shiori:
            await shiori.upload_csv("numbers", CSV)
            stack.close()
            await wait_until_not_serving(shiori, SERVICE)
            blobs = await status_of(shiori, "dependencies.blobs")
            database = await status_of(shiori, "dependencies.database")
            with pytest.raises(grpc.aio.AioRpcError) as reading:
                await shiori.read("numbers")
            with pytest.raises(grpc.aio.AioRpcError) as uploading:
                await shiori.upload_csv("more", CSV)
            staged = shiori.staged()

    assert ("NOT_SERVING", "SERVING") == (blobs, database)
    for caught in (reading, uploading):
        assert grpc.StatusCode.UNAVAILABLE == caught.value.code()
        assert "DEPENDENCY_UNAVAILABLE" == reason_of(caught.value).reason
    assert [] == staged


@pytest.mark.parametrize(
    ("url", "changes", "problem"),
    [
        ("s3://bucket", {"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, "403 Forbidden"),
        ("s3://bucket", {"AWS_ALLOW_HTTP": "false"}, "cannot keep blobs in s3://bucket/shiori: "),
        ("ftp://bucket", {}, "HANAMI_BLOB_URL: it is neither file:///FOLDER nor s3://"),
    ],
)
async def test_unusable_store_ends_the_start(
    misaki: RunningMisaki,
    s3_server: S3Server,
    tmp_path: Path,
    free_port: int,
    url: str,
    changes: dict[str, str],
    problem: str,
) -> None:
    """A process that cannot keep blobs ends at once, and says why without a stack trace."""
    environment = s3_server.environment(**changes) | {"HANAMI_BLOB_URL": url}

    async with process(misaki, tmp_path, free_port, **environment) as child:
        said = await end_of(child)

    assert (1, True) == (child.returncode, problem in said)
    assert "Traceback" not in said
    assert "wrong-secret" not in said
