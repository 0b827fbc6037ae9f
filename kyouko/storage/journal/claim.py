"""The claim on a stream of journals: one kyouko at a time writes into it.

It is an entry of a key-value bucket beside the stream, and the server forgets it when it is not
renewed: no clocks of two machines are compared. The entry names the owner, an id kept in the
data folder, so that a kyouko that crashed takes its own stream again at once; anybody else has to
wait until the claim lapses. A process whose claim is gone, or older than it lasts, sends nothing.
"""

import asyncio
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import nats.errors
import structlog
from nats.js import JetStreamContext
from nats.js.errors import BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from kyouko.storage.journal.writing import sync_folder

_log = structlog.get_logger(__name__)
_KEY: Final = "owner"
_FILE: Final = "owner"
_OWNER: Final = re.compile(r"[0-9a-f]{32}")
_ATTEMPTS: Final = 5
_RETRY_SECONDS: Final = 0.25
# A claim is renewed so many times before it would lapse.
_RENEWALS: Final = 3


class NotClaimed(Exception):
    """This process may not write to the stream; `is_final` when that will not change."""

    def __init__(self, problem: str, *, is_final: bool) -> None:
        super().__init__(problem)
        self.is_final = is_final


@dataclass(frozen=True)
class Holder:
    """Who holds a claim.

    Attributes:
        owner: the same for all processes that work in one data folder, one after the other.
        process: another one for each process.
        host: where it runs, for people.
    """

    owner: str
    process: str
    host: str = ""
    pid: int = 0

    def encoded(self) -> bytes:
        """Return the entry."""
        return json.dumps(asdict(self)).encode()

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" if self.host else "a process unknown"


def this_process(owner: str) -> Holder:
    """Return how this process names itself to others."""
    return Holder(owner, secrets.token_hex(16), socket.gethostname(), os.getpid())


class Claim:
    """What this process holds of a stream.

    Args:
        lease_seconds: how long a claim lasts that is not renewed; used when the bucket is made.
        replicas: servers that keep a copy of it; used likewise.
        lost: told why, once, when another process has taken the stream over.
    """

    def __init__(
        self,
        jetstream: JetStreamContext,
        stream: str,
        holder: Holder,
        *,
        lease_seconds: float,
        replicas: int,
        lost: Callable[[str], None],
    ) -> None:
        self._jetstream = jetstream
        self._stream = stream
        self._holder = holder
        self._lease_seconds = lease_seconds
        self._replicas = replicas
        self._lost = lost
        self._bucket: KeyValue | None = None
        self._revision = 0
        self._confirmed_at = float("-inf")
        self._problem = ""
        self._renewing: asyncio.Task[None] | None = None

    def check(self) -> None:
        """Raise when this process may not write to the stream.

        Raises:
            NotClaimed: Another one has it, or may have it by now.
        """
        if self._problem:
            raise NotClaimed(self._problem, is_final=True)
        if time.monotonic() - self._confirmed_at >= self._lease_seconds:
            raise NotClaimed(f"the claim on {self._stream} could not be renewed", is_final=False)

    async def take(self) -> None:
        """Claim the stream, and renew that from now on.

        Raises:
            NotClaimed: Another kyouko has it.
            nats.errors.Error: It cannot be claimed now.
        """
        self._bucket = await self._prepared_bucket()
        await self._write(self._bucket, replaces=lambda found: found.owner == self._holder.owner)
        self._renewing = asyncio.create_task(self._renew(self._bucket), name="journal claim")

    async def give_back(self) -> None:
        """Let others have the stream at once."""
        if self._renewing is None or self._bucket is None:
            return
        self._renewing.cancel()
        await asyncio.wait([self._renewing])
        if self._problem:
            return
        try:
            await self._bucket.delete(_KEY, last=self._revision)
        except nats.errors.Error as error:
            _log.warning("cannot give a claim back", stream=self._stream, problem=repr(error))

    async def _renew(self, bucket: KeyValue) -> None:
        is_renewed = True
        try:
            while True:
                await asyncio.sleep(
                    self._lease_seconds / _RENEWALS if is_renewed else _RETRY_SECONDS
                )
                is_renewed = await self._is_renewed(bucket)
        except NotClaimed as error:
            self._problem = str(error)
            self._lost(self._problem)

    async def _is_renewed(self, bucket: KeyValue) -> bool:
        try:
            await self._write(bucket, replaces=lambda found: found == self._holder)
        except (nats.errors.Error, OSError) as error:
            _log.warning("cannot renew a claim", stream=self._stream, problem=repr(error))
            return False
        return True

    async def _write(self, bucket: KeyValue, *, replaces: Callable[[Holder], bool]) -> None:
        """Write the entry over none, or over one that may be replaced."""
        for _ in range(_ATTEMPTS):
            # The server counts from when it gets the entry, which is later than this.
            asked_at = time.monotonic()
            try:
                self._revision = await self._written(bucket, replaces)
            except KeyWrongLastSequenceError:
                continue  # Somebody was faster, or an answer was lost: look again.
            self._confirmed_at = asked_at
            return
        raise nats.errors.Error(f"too many want the stream {self._stream}")

    async def _written(self, bucket: KeyValue, replaces: Callable[[Holder], bool]) -> int:
        content = self._holder.encoded()
        try:
            entry = await bucket.get(_KEY)
        except KeyNotFoundError:
            return await bucket.create(_KEY, content)
        found = _decoded(entry.value)
        if not replaces(found):
            raise NotClaimed(
                f"the stream {self._stream} belongs to another kyouko, {found}", is_final=True
            )
        return await bucket.update(_KEY, content, last=entry.revision)

    async def _prepared_bucket(self) -> KeyValue:
        """Return the bucket of the claim; one that is there says how long claims last."""
        name = f"{self._stream}-claim"
        try:
            bucket = await self._jetstream.key_value(name)
        except BucketNotFoundError:
            return await self._jetstream.create_key_value(
                bucket=name,
                description=f"Which kyouko writes to {self._stream}",
                ttl=self._lease_seconds,
                replicas=self._replicas,
            )
        lease_seconds = (await bucket.status()).ttl
        if not lease_seconds:
            raise nats.errors.Error(f"the bucket {name} is not fit: what is in it never lapses")
        self._lease_seconds = lease_seconds
        return bucket


def known_owner(folder: Path) -> str:
    """Return the owner's id that a data folder keeps; it gets one at the first time.

    Raises:
        OSError: It cannot be read or kept.
    """
    path = folder / _FILE
    try:
        found = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        found = ""
    if _OWNER.fullmatch(found):
        return found
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    owner = secrets.token_hex(16)
    unfinished = path.with_suffix(".new")
    with unfinished.open("w", encoding="ascii") as file:
        file.write(f"{owner}\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    sync_folder(folder)
    return owner


def _decoded(content: bytes | None) -> Holder:
    """Return who wrote an entry; somebody unknown when it cannot be read."""
    try:
        fields = json.loads(content or b"")
        return Holder(
            str(fields["owner"]), str(fields["process"]), str(fields["host"]), int(fields["pid"])
        )
    except (ValueError, KeyError, TypeError):
        return Holder("", "")
