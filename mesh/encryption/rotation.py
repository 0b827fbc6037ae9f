"""Brings all objects of a store under the key in use; runs beside the service, or without it."""

import sys
from dataclasses import dataclass, field

from mesh.blobs import BlobStore
from mesh.encryption.keys import EncryptionError, KeyRing
from mesh.encryption.settings import ObjectSettings


@dataclass
class Rewrapped:
    """What was done.

    Attributes:
        changed: objects whose key was wrapped anew, or that were encrypted.
        total: all objects that there are.
        problems: why some of them are not under the key in use.
    """

    changed: int = 0
    total: int = 0
    problems: list[str] = field(default_factory=list)


async def rewrap_all(blobs: BlobStore) -> Rewrapped:
    """Wrap the keys of all objects with the key in use; encrypt those that are not encrypted.

    Raises:
        SystemExit: The store cannot be used with these keys.
    """
    done = Rewrapped()
    await blobs.prepare()
    for name in [name async for name in blobs.names()]:
        try:
            done.changed += await blobs.rewrap(name)
        except FileNotFoundError:
            # Deleted meanwhile.
            continue
        except EncryptionError as error:
            done.problems.append(str(error))
        done.total += 1
    return done


def require_keys(settings: ObjectSettings) -> KeyRing:
    """Return the keys to wrap with.

    Raises:
        SystemExit: There are none.
    """
    ring = settings.key_ring()
    if ring is None:
        raise SystemExit("there are no keys: HANAMI_ENCRYPTION_KEY_FILE is not set")
    return ring


def report(service: str, done: Rewrapped) -> int:
    """Say what was done; returns the exit code of the process."""
    for problem in done.problems:
        print(problem, file=sys.stderr)
    print(f"{service}: {done.total} objects, {done.changed} of them brought under the key in use")
    return 1 if done.problems else 0
