"""The keys that sign tokens: the one of now, the next one, and those before.

The first key lies alone in `signing-key.pem`; with the first rotation all of them move
into `signing-keys.json`. Both are for their owner only. Several processes may share the
folder: each looks whether the file has changed before it uses a key.
"""

import fcntl
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mesh.tokens import PublicKey
from misaki.crypto.keys import (
    FILE_NAME,
    KeyFileError,
    SigningKey,
    load_or_create,
    new_key,
    pem_of,
    read_pem,
)
from misaki.crypto.private_files import replace_whole
from misaki.domain.key_times import KeyTimes, RotationRules, current_of

RING_FILE_NAME = "signing-keys.json"
_LOCK_NAME = "signing-keys.lock"


@dataclass(frozen=True)
class DatedKey:
    """A key, and when it was made and begins to sign."""

    key: SigningKey
    times: KeyTimes


class FileKeyRing:
    """Keeps the keys in a folder; see `misaki.ports.KeyRing`."""

    def __init__(
        self, folder: Path, rules: RotationRules, *, clock: Callable[[], datetime]
    ) -> None:
        """Open the ring, with a first key if there is none.

        Raises:
            KeyFileError: A file holds something else.
        """
        self._folder = folder
        self._rules = rules
        self._clock = clock
        self._seen: tuple[int, int] | None = None
        self._keys: Sequence[DatedKey] = [_first(folder)]
        self._look()

    def current(self) -> SigningKey:
        """Return the key that signs now."""
        keys = self._look()
        current = current_of([dated.times for dated in keys], self._clock())
        return next(dated.key for dated in keys if dated.times == current)

    def public_keys(self) -> Sequence[PublicKey]:
        """Return the keys that verify tokens now or soon, newest first."""
        by_id = {dated.key.public.key_id: dated.key.public for dated in self._look()}
        return [by_id[times.key_id] for times in self._published(self._keys)]

    def times(self) -> Sequence[KeyTimes]:
        """Return the dates of all keys that there are."""
        return [dated.times for dated in self._look()]

    def rotate(self, *, immediately: bool) -> None:
        """Make the next key, unless there is one that does not sign yet; forget old ones."""
        with self._alone():
            now = self._clock()
            keys = [] if immediately else list(self._look())
            if any(dated.times.activate_time > now for dated in keys):
                return
            keys.append(_dated(new_key(), now, now if immediately else now + self._rules.ahead))
            kept = self._published(keys)
            self._write([dated for dated in keys if dated.times in kept])
        self._look()

    def _published(self, keys: Sequence[DatedKey]) -> Sequence[KeyTimes]:
        return self._rules.published([dated.times for dated in keys], self._clock())

    def _look(self) -> Sequence[DatedKey]:
        """Return the keys, read again if the file is another one than before."""
        path = self._folder / RING_FILE_NAME
        try:
            status = path.stat()
        except FileNotFoundError:
            return self._keys
        if (status.st_ino, status.st_mtime_ns) != self._seen:
            self._keys = _read(path)
            self._seen = (status.st_ino, status.st_mtime_ns)
        return self._keys

    def _write(self, keys: Sequence[DatedKey]) -> None:
        entries = [
            {
                "private_key": pem_of(dated.key).decode(),
                "create_time": dated.times.create_time.isoformat(),
                "activate_time": dated.times.activate_time.isoformat(),
            }
            for dated in keys
        ]
        content = json.dumps({"keys": entries}, indent=2).encode()
        replace_whole(self._folder / RING_FILE_NAME, content)
        # It is in the ring by now, or is not to be used again.
        (self._folder / FILE_NAME).unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from rotating at the same time."""
        with (self._folder / _LOCK_NAME).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _first(folder: Path) -> DatedKey:
    """Return the key to begin with."""
    ring = folder / RING_FILE_NAME
    if ring.exists():
        return _read(ring)[-1]
    key = load_or_create(folder)
    made = datetime.fromtimestamp((folder / FILE_NAME).stat().st_mtime, UTC)
    return _dated(key, made, made)


def _read(path: Path) -> Sequence[DatedKey]:
    try:
        entries = json.loads(path.read_bytes())["keys"]
        keys = [
            _dated(
                read_pem(entry["private_key"].encode(), path),
                datetime.fromisoformat(entry["create_time"]),
                datetime.fromisoformat(entry["activate_time"]),
            )
            for entry in entries
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeyFileError(f"{path} holds no signing keys: {error!r}") from error
    if not keys:
        raise KeyFileError(f"{path} holds no signing keys")
    return keys


def _dated(key: SigningKey, create_time: datetime, activate_time: datetime) -> DatedKey:
    return DatedKey(key, KeyTimes(key.public.key_id, create_time, activate_time))
