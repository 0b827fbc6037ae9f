"""IDX files that are read, and those that are refused."""

import struct
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mesh.errors import InvalidArgument, ResourceExhausted
from shiori.domain.dataset import Column, ColumnRole, ColumnType
from shiori.formats.malformed import ConversionStopped
from tests.unit.shiori.files import convert_idx, idx_images, idx_labels, rows_of


def header(*values: int) -> bytes:
    """Return big-endian 32-bit numbers."""
    return struct.pack(f">{len(values)}I", *values)


def test_images_are_inputs_and_labels_targets(tmp_path: Path) -> None:
    """An image is one column as wide as it has pixels."""
    converted = convert_idx(tmp_path, idx_images(5, 2, 3), idx_labels(5))

    assert (
        Column("image", ColumnType.UINT8, ColumnRole.INPUT, width=6),
        Column("label", ColumnType.UINT8, ColumnRole.TARGET),
    ) == converted.columns
    assert 5 == converted.row_count


def test_pixels_come_back_across_row_groups(tmp_path: Path) -> None:
    """A range that crosses the groups of the file holds the right pixels and labels."""
    rows, height, width = 300, 256, 256
    converted = convert_idx(tmp_path, idx_images(rows, height, width), idx_labels(rows))

    values = rows_of(tmp_path, converted.columns, 126, 3)

    size = height * width
    expected = (np.arange(126 * size, 129 * size) % 256).reshape(3, size)
    assert 1 < pq.read_metadata(tmp_path / "table.parquet").num_row_groups
    assert np.array_equal(expected, values["image"])
    assert [6, 7, 8] == values["label"]


def test_image_of_one_pixel_is_a_number(tmp_path: Path) -> None:
    """The smallest image there is comes back, too."""
    converted = convert_idx(tmp_path, idx_images(5, 1, 1), idx_labels(5))

    assert [0, 1, 2, 3, 4] == rows_of(tmp_path, converted.columns, 0, 5)["image"]


def test_height_and_width_are_remembered(tmp_path: Path) -> None:
    """The table notes what shape its images have."""
    convert_idx(tmp_path, idx_images(5, 2, 3), idx_labels(5))

    notes = pq.read_schema(tmp_path / "table.parquet").metadata
    assert (b"2", b"3") == (notes[b"hanami.image_height"], notes[b"hanami.image_width"])


def test_equal_files_make_equal_tables(tmp_path: Path) -> None:
    """A conversion is repeatable to the byte, so equal uploads share one table."""
    first = convert_idx(tmp_path, idx_images(), idx_labels())
    second = convert_idx(tmp_path, idx_images(), idx_labels())

    assert first.sha256 == second.sha256


@pytest.mark.parametrize(
    ("images", "labels", "file", "said"),
    [
        (b"\0\0\x08", idx_labels(), "images", "header takes 16 bytes"),
        (header(0x803, 5, 2), idx_labels(), "images", "header takes 16 bytes"),
        (idx_images(), b"\0\0\x08\x01\0", "labels", "header takes 8 bytes"),
        (header(0x801, 5, 2, 3) + bytes(30), idx_labels(), "images", "0x00000801"),
        (header(0xD03, 5, 2, 3) + bytes(120), idx_labels(), "images", "0x00000d03"),
        (idx_labels(20), idx_images(), "images", "exchanged"),
        (idx_images()[:-1], idx_labels(), "images", "46 bytes in all, but it has 45"),
        (idx_images() + b"\0", idx_labels(), "images", "46 bytes in all, but it has 47"),
        (idx_images(), idx_labels() + b"\0", "labels", "13 bytes in all, but it has 14"),
        (idx_images(), idx_labels(4), "labels", "5 images, but 4 labels"),
        (header(0x803, 0, 28, 28), header(0x801, 0), "images", "0 x 28 x 28"),
        (header(0x803, 5, 0, 28), idx_labels(), "images", "5 x 0 x 28"),
        (header(0x803, *[2**32 - 1] * 3), idx_labels(), "images", "4294967295 x"),
        (b"\x1f\x8b" + bytes(40), idx_labels(), "images", "gzip"),
    ],
)
def test_malformed_file_is_refused(
    tmp_path: Path, images: bytes, labels: bytes, file: str, said: str
) -> None:
    """A header that does not fit the bytes is refused, however large the numbers in it."""
    with pytest.raises(InvalidArgument) as caught:
        convert_idx(tmp_path, images, labels)

    assert ("FILE_MALFORMED", file) == (caught.value.reason, caught.value.metadata["file"])
    assert said in caught.value.message


def test_image_too_large_for_a_message_is_refused(tmp_path: Path) -> None:
    """An image of more than a mebibyte is no row that can be sent."""
    with pytest.raises(ResourceExhausted) as caught:
        convert_idx(tmp_path, idx_images(1, 1025, 1024), idx_labels(1))

    assert {"limit": str(2**20), "actual": str(1025 * 1024)} == caught.value.metadata


def test_stopped_conversion_ends(tmp_path: Path) -> None:
    """A conversion that nobody waits for ends at the next block."""
    with pytest.raises(ConversionStopped):
        convert_idx(tmp_path, idx_images(), idx_labels(), stopped=lambda: True)
