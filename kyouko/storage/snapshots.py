"""Snapshots as safetensors files: the engine's arrays, and the rest as a JSON header."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

import safetensors
import safetensors.numpy
import structlog

from kyouko.domain.engine import EngineState
from kyouko.domain.networks.network import SnapshotContent
from mesh.blobs import BlobStore
from mesh.clients import unavailable

_FORMAT: Final = "hanami-network"
_VERSION: Final = 1
_log = structlog.get_logger(__name__)


class BlobSnapshotStore:
    """Keeps snapshots in a blob store."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def save(self, name: str, content: SnapshotContent) -> None:
        """Store a snapshot."""
        data = await asyncio.to_thread(encode, content)
        try:
            await self._blobs.put(name, data)
        except Exception as error:
            _log.error("cannot store a snapshot", snapshot=name, error=repr(error))
            raise unavailable("snapshots") from error

    async def load(self, name: str) -> SnapshotContent:
        """Return a snapshot."""
        try:
            data = await self._blobs.get(name)
            return await asyncio.to_thread(decode, data)
        except Exception as error:
            _log.error("cannot read a snapshot", snapshot=name, error=repr(error))
            raise unavailable("snapshots") from error

    async def delete(self, name: str) -> None:
        """Delete a snapshot."""
        await self._blobs.delete(name)

    async def names(self, prefix: str) -> Sequence[str]:
        """Return the names of all snapshots below a prefix."""
        return [name async for name in self._blobs.names(prefix)]


def encode(content: SnapshotContent) -> bytes:
    """Return a snapshot as the bytes of a safetensors file."""
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "engine": content.engine.header,
        "labels": list(content.labels),
        "target_scale": dict(content.target_scale),
    }
    return safetensors.numpy.save(content.engine.arrays, metadata={"hanami": json.dumps(header)})


def decode(data: bytes) -> SnapshotContent:
    """Return the snapshot in the bytes of a file.

    Raises:
        ValueError: It is no snapshot, or of a version that is not known here.
    """
    header = _header_of(data)
    if header.get("format") != _FORMAT or header.get("version") != _VERSION:
        raise ValueError(f"not a network of version {_VERSION}: {header.get('format')!r}")
    # The arrays point into `data`, which cannot be written to; the engine copies them.
    return SnapshotContent(
        engine=EngineState(arrays=safetensors.numpy.load(data), header=header["engine"]),
        labels=tuple(header["labels"]),
        target_scale=header["target_scale"],
    )


def _header_of(data: bytes) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    try:
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        header: dict[str, Any] = json.loads(metadata["hanami"])
    except (KeyError, ValueError) as error:
        raise ValueError("the file has no header of a network") from error
    return header
