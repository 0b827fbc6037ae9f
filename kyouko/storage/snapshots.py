"""Snapshots as safetensors files: the arrays, and the rest as a JSON header.

The name of a file ends with the digest of its bytes, so that damage shows.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import safetensors
import safetensors.numpy
import structlog

from kyouko.domain.engine import EngineState
from kyouko.domain.networks.network import SnapshotContent
from kyouko.domain.networks.sessions import SessionsState
from kyouko.domain.pipeline.state import PipelineState
from kyouko.ports import DamagedSnapshot, StoredSnapshot
from mesh.blobs import BlobStore
from mesh.clients import unavailable
from mesh.encryption.keys import Damaged

_FORMAT: Final = "hanami-network"
_VERSION: Final = 2
_READABLE: Final = (1, 2)
_SESSIONS: Final = "sessions/"
_PIPELINE: Final = "pipeline/"
_log = structlog.get_logger(__name__)


class BlobSnapshotStore:
    """Keeps snapshots in a blob store."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def save(self, prefix: str, content: SnapshotContent) -> str:
        """Store a snapshot."""
        data = await asyncio.to_thread(encode, content)
        name = f"{prefix}/{await asyncio.to_thread(_digest_of, data)}.safetensors"
        try:
            await self._blobs.put(name, data)
        except Exception as error:
            _log.error("cannot store a snapshot", snapshot=name, error=repr(error))
            raise unavailable("snapshots") from error
        return name

    async def load(self, name: str) -> SnapshotContent:
        """Return a snapshot."""
        try:
            data = await self._blobs.get(name)
        except FileNotFoundError as error:
            raise DamagedSnapshot(f"{name} is not there") from error
        except Damaged as error:
            raise DamagedSnapshot(str(error)) from error
        except Exception as error:
            _log.error("cannot read a snapshot", snapshot=name, error=repr(error))
            raise unavailable("snapshots") from error
        return await asyncio.to_thread(_checked, name, data)

    async def delete(self, name: str) -> None:
        """Delete a snapshot."""
        await self._blobs.delete(name)

    async def names(self, prefix: str) -> Sequence[str]:
        """Return the names of all snapshots below a prefix."""
        return [name async for name in self._blobs.names(prefix)]

    async def describe(self, name: str) -> StoredSnapshot | None:
        """Return what is known of a snapshot."""
        try:
            facts = await self._blobs.facts(name)
        except FileNotFoundError:
            return None
        except Exception as error:
            _log.error("cannot look for a snapshot", snapshot=name, error=repr(error))
            raise unavailable("snapshots") from error
        return StoredSnapshot(facts.stored_bytes, facts.modify_time)


def encode(content: SnapshotContent) -> bytes:
    """Return a snapshot as the bytes of a safetensors file."""
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "engine": content.engine.header,
        "labels": list(content.labels),
        "target_scale": dict(content.target_scale),
        "sessions": [dict(session) for session in content.sessions.header],
        "journal_position": content.journal_position,
        "pipeline": dict(content.pipeline.header) if content.pipeline is not None else None,
    }
    sessions = {_SESSIONS + name: array for name, array in content.sessions.arrays.items()}
    kept = content.pipeline.arrays if content.pipeline is not None else {}
    pipeline = {_PIPELINE + name: array for name, array in kept.items()}
    arrays = {**content.engine.arrays, **sessions, **pipeline}
    return safetensors.numpy.save(arrays, metadata={"hanami": json.dumps(header)})


def decode(data: bytes) -> SnapshotContent:
    """Return the snapshot in the bytes of a file.

    Raises:
        ValueError: It is no snapshot, or of a version that is not known here.
    """
    header = _header_of(data)
    if header.get("format") != _FORMAT:
        raise ValueError(f"not a network: {header.get('format')!r}")
    if header.get("version") not in _READABLE:
        raise ValueError(f"of version {header.get('version')!r}; {_VERSION} is the newest known")
    # The arrays point into `data`, which cannot be written to; the engine copies them.
    arrays = safetensors.numpy.load(data)
    engine = _without(_PIPELINE, _without(_SESSIONS, arrays))
    pipeline = header.get("pipeline")
    return SnapshotContent(
        engine=EngineState(arrays=engine, header=header["engine"]),
        labels=tuple(header["labels"]),
        target_scale=header["target_scale"],
        sessions=SessionsState(header.get("sessions", ()), _below(_SESSIONS, arrays)),
        journal_position=int(header.get("journal_position", 0)),
        pipeline=PipelineState(_below(_PIPELINE, arrays), pipeline) if pipeline else None,
    )


def _checked(name: str, data: bytes) -> SnapshotContent:
    digest = _digest_of(data)
    if digest not in name:
        raise DamagedSnapshot(f"{name} has the digest {digest}")
    try:
        return decode(data)
    except (ValueError, KeyError, safetensors.SafetensorError) as error:
        raise DamagedSnapshot(f"{name}: {error}") from error


def _digest_of(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _below(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    found = (name for name in arrays if name.startswith(prefix))
    return {name.removeprefix(prefix): arrays[name] for name in found}


def _without(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name: array for name, array in arrays.items() if not name.startswith(prefix)}


def _header_of(data: bytes) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    try:
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        header: dict[str, Any] = json.loads(metadata["hanami"])
    except (KeyError, ValueError) as error:
        raise ValueError("the file has no header of a network") from error
    return header
