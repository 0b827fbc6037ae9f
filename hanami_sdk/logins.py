"""Logins kept on this machine between calls: one pair of tokens for each mesh."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanami_sdk.private_files import write_private

if TYPE_CHECKING:
    from hanami_sdk.sessions import Tokens


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


def _key(url: str) -> str:
    return url.rstrip("/").lower()
