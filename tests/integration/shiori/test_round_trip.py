"""Data sets go up and come back through a real server."""

import struct

import numpy as np
from hanami.shiori.v1 import dataset_service_pb2 as pb

from mesh.tensors import array_of
from tests.integration.shiori.servers import RunningShiori, name_of


def idx_files(rows: int = 20, height: int = 3, width: int = 2) -> dict[str, bytes]:
    """Return images and labels with known values."""
    pixels = (np.arange(rows * height * width) % 251).astype(np.uint8)
    labels = (np.arange(rows) % 10).astype(np.uint8)
    return {
        "images": struct.pack(">4I", 0x803, rows, height, width) + pixels.tobytes(),
        "labels": struct.pack(">2I", 0x801, rows) + labels.tobytes(),
    }


async def test_idx_comes_back_pixel_by_pixel(shiori: RunningShiori) -> None:
    """Images and labels of IDX files are read back as they were."""
    dataset = await shiori.upload("digits", idx_files())

    (answer,) = await shiori.read("digits")

    expected = (np.arange(120) % 251).astype(np.uint8).reshape(20, 6)
    assert 20 == dataset.row_count
    assert [("image", 6), ("label", 1)] == [(c.name, c.width) for c in dataset.columns]
    assert np.array_equal(expected, array_of(answer.columns[0].tensor, field="image"))
    assert [20, 1] == list(answer.columns[1].tensor.shape)


async def test_csv_comes_back_in_the_columns_wanted(shiori: RunningShiori) -> None:
    """A read names columns in its own order and gets numbers with NaN and texts."""
    await shiori.upload_csv(
        "iris", "size,count,kind\n1.5,1,red\n,2,\n1e-3,3,blue\n", target_column="kind"
    )

    (answer,) = await shiori.read("iris", columns=["kind", "size"], start_row=1)

    sizes = array_of(answer.columns[1].tensor, field="size")
    assert ["kind", "size"] == [column.name for column in answer.columns]
    assert ["", "blue"] == list(answer.columns[0].text.values)
    assert np.array_equal([[np.nan], [0.001]], sizes, equal_nan=True)
    assert (1, 2) == (answer.start_row, answer.row_count)


async def test_uploaded_data_set_is_listed_and_got(shiori: RunningShiori) -> None:
    """What an upload returns is what get and list return."""
    uploaded = await shiori.upload_csv("one", "a,b\n1,2\n")

    got = await shiori.stub.GetDataset(
        pb.GetDatasetRequest(name=name_of("one")), metadata=shiori.alice
    )

    assert uploaded == got
    assert "users/alice" == got.creator
    assert [name_of("one")] == await shiori.names()
    assert not shiori.staged()
