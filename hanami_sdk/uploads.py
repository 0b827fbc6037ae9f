"""The messages of an upload: files announced with checksums, then their bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hanami.shiori.v1 import dataset_service_pb2 as pb

from hanami_sdk.errors import InvalidArgument
from hanami_sdk.sessions import RENEW_BEFORE_SECONDS
from hanami_sdk.visibility import Visibility, visibility_number

# Large enough that messages cost little, small enough that progress is smooth;
# the contract allows 1 MiB.
CHUNK_BYTES = 256 * 1024
_SLOW_BYTES_PER_SECOND = 125_000  # One megabit.


@dataclass(frozen=True)
class UploadSource:
    """A local file that takes a role in an upload: `images`, `labels` or `data`."""

    role: str
    path: Path


@dataclass(frozen=True)
class UploadPlan:
    """An upload, ready to be sent.

    Attributes:
        open: the first message.
        sources: the files in the order of their bytes.
        total_bytes: how many bytes will be sent.
    """

    open: pb.UploadOpen
    sources: tuple[UploadSource, ...]
    total_bytes: int

    @property
    def most_seconds(self) -> float:
        """How long it takes over a slow line; the token must not end before."""
        return RENEW_BEFORE_SECONDS + self.total_bytes / _SLOW_BYTES_PER_SECOND


def plan_upload(
    parent: str,
    dataset_id: str,
    file_format: pb.FileFormat.ValueType,
    sources: Sequence[UploadSource],
    *,
    target_column: str = "",
    visibility: Visibility | None = None,
) -> UploadPlan:
    """Measure and check-sum the files of an upload.

    Raises:
        InvalidArgument: a file is empty.
        OSError: a file cannot be read.
    """
    opening = pb.UploadOpen(
        parent=parent,
        dataset_id=dataset_id,
        format=file_format,
        target_column=target_column,
        visibility=visibility_number(visibility),
    )
    total = 0
    for source in sources:
        size, digest = _measure(source.path)
        if size == 0:
            raise InvalidArgument(f"{source.path} is empty.", reason="FILE_MALFORMED")
        opening.files.add(role=source.role, size_bytes=size, sha256=digest)
        total += size
    return UploadPlan(opening, tuple(sources), total)


def upload_messages(
    plan: UploadPlan,
) -> Generator[tuple[pb.UploadDatasetRequest, int], None, None]:
    """Yield the messages of an upload, each with the bytes sent once it is out."""
    sent = 0
    yield pb.UploadDatasetRequest(open=plan.open), sent
    for source in plan.sources:
        with source.path.open("rb") as file:
            while data := file.read(CHUNK_BYTES):
                sent += len(data)
                chunk = pb.UploadChunk(role=source.role, data=data)
                yield pb.UploadDatasetRequest(chunk=chunk), sent


def _measure(path: Path) -> tuple[int, str]:
    """Return a file's size and SHA-256, of one and the same reading."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            digest.update(data)
            size += len(data)
    return size, digest.hexdigest()
