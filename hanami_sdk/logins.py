"""Logins kept on this machine between calls: one pair of tokens for each mesh."""

from __future__ import annotations

import asyncio
import fcntl
import json
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanami_sdk.private_files import write_private

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hanami_sdk.sessions import Tokens

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class LoginFile:
    """A file of tokens by gateway URL that only its owner may read."""

    path: Path

    def load(self, url: str) -> Tokens | None:
        """Return the tokens of a mesh; `None` when nobody is logged in there."""
        from hanami_sdk.sessions import Tokens

        entry = self._read().get(_key(url))
        try:
            return Tokens(**entry) if entry is not None else None
        except TypeError:
            return None  # Written by another version; logging in again replaces it.

    def save(self, url: str, tokens: Tokens) -> None:
        """Keep the tokens of a mesh."""
        self._write({**self._read(), _key(url): asdict(tokens)})

    def remove(self, url: str) -> bool:
        """Forget the tokens of a mesh; returns whether there were any."""
        entries = self._read()
        had_any = entries.pop(_key(url), None) is not None
        if had_any:
            self._write(entries)
        return had_any

    def _read(self) -> dict[str, Any]:
        try:
            entries = json.loads(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}

    def _write(self, entries: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(self.path, json.dumps(entries, indent=2))


@dataclass(frozen=True)
class KeptLogin:
    """One login of a file, which every process of this user may renew; see `SharedTokens`."""

    file: LoginFile
    url: str

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the lock of the file. It ends with the process, however that ends."""
        lock = self.file.path.with_suffix(".lock")
        lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with lock.open("w") as handle:
            while not _locked(handle.fileno()):  # noqa: ASYNC110  the holder is another process
                await asyncio.sleep(_POLL_SECONDS)
            yield

    def load(self) -> Tokens | None:
        """Return the tokens that the file keeps now."""
        return self.file.load(self.url)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _key(url: str) -> str:
    return url.rstrip("/").lower()
