"""IDX files, the format of MNIST: images and labels as unsigned bytes.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits",
section "File formats".
"""

import math
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

from shiori.domain.announcement import IMAGES, LABEL_COLUMN, LABELS
from shiori.domain.dataset import Column, ColumnRole, ColumnType
from shiori.formats.malformed import ConversionStopped, malformed, refuse_packed, too_large
from shiori.formats.parquet import GROUP_BYTES, TableWriter, arrow_type

IMAGE_COLUMN = "image"
# One row has to fit into a message with room to spare.
MAX_IMAGE_BYTES = 2**20
_MAGICS = {IMAGES: 0x00000803, LABELS: 0x00000801}


def convert(files: Mapping[str, Path], table: Path, stopped: Callable[[], bool]) -> list[Column]:
    """Write images and labels as a table of the columns `image` and `label`.

    Raises:
        InvalidArgument: FILE_MALFORMED.
        ResourceExhausted: LIMIT_REACHED: an image is too large.
    """
    row_count, height, width = _dimensions(IMAGES, files[IMAGES])
    (label_count,) = _dimensions(LABELS, files[LABELS])
    if label_count != row_count:
        raise malformed(
            LABELS,
            f"there are {row_count} images, but {label_count} labels",
            expected=row_count,
            actual=label_count,
        )
    size = height * width
    if size > MAX_IMAGE_BYTES:
        problem = f"an image has {size} bytes, but {MAX_IMAGE_BYTES} is the most"
        raise too_large(problem, limit=MAX_IMAGE_BYTES, actual=size)
    columns = [
        Column(IMAGE_COLUMN, ColumnType.UINT8, ColumnRole.INPUT, width=size),
        Column(LABEL_COLUMN, ColumnType.UINT8, ColumnRole.TARGET),
    ]
    notes = {"hanami.image_height": str(height), "hanami.image_width": str(width)}
    with (
        TableWriter(table, columns, notes=notes) as writer,
        files[IMAGES].open("rb") as images,
        files[LABELS].open("rb") as labels,
    ):
        images.seek(16)
        labels.seek(8)
        rows_per_group = max(1, GROUP_BYTES // (size + 1))
        for start in range(0, row_count, rows_per_group):
            if stopped():
                raise ConversionStopped
            rows = min(rows_per_group, row_count - start)
            blocks = (images.read(rows * size), labels.read(rows))
            writer.write(
                [
                    pa.Array.from_buffers(arrow_type(column), rows, [None, pa.py_buffer(block)])
                    for column, block in zip(columns, blocks, strict=True)
                ]
            )
    return columns


def _dimensions(role: str, path: Path) -> tuple[int, ...]:
    refuse_packed(role, path)
    count = 3 if role == IMAGES else 1
    header_bytes = 4 + 4 * count
    with path.open("rb") as source:
        header = source.read(header_bytes)
    if len(header) < header_bytes:
        problem = f"its header takes {header_bytes} bytes, but it has {len(header)}"
        raise malformed(role, problem, expected=header_bytes, actual=len(header))
    magic, *dimensions = struct.unpack(f">{1 + count}I", header)
    _check_magic(role, magic)
    if 0 in dimensions:
        raise malformed(role, f"its header tells of {' x '.join(map(str, dimensions))} values")
    # Python's integers do not overflow, whatever the header claims.
    expected = header_bytes + math.prod(dimensions)
    actual = path.stat().st_size
    if actual != expected:
        shape = " x ".join(map(str, dimensions))
        problem = (
            f"its header tells of {shape} values, {expected} bytes in all, but it has {actual}"
        )
        raise malformed(role, problem, expected=expected, actual=actual)
    return tuple(dimensions)


def _check_magic(role: str, magic: int) -> None:
    expected = _MAGICS[role]
    if magic == expected:
        return
    hint = "; images and labels seem to be exchanged" if magic in _MAGICS.values() else ""
    raise malformed(
        role,
        f"it begins with 0x{magic:08x}, but IDX {role} of unsigned bytes begin with "
        f"0x{expected:08x}{hint}",
        expected=f"0x{expected:08x}",
        actual=f"0x{magic:08x}",
    )
