"""Encrypts the records of journals, wherever they are kept, beside what keeps them.

A record is encrypted as a whole when it is appended, so what gathers, checks and repairs
journals sees bytes like any others. Each opening of a journal has a key of its own, derived
from the key in use and 16 random bytes. The position is the nonce: it never comes twice.

An encrypted record: `e1` (a plain one begins with 01), the id of the key (8), the random
bytes (16), the ciphertext, its tag (16). Bound to it are the journal and the position.
"""

import os
from collections.abc import AsyncIterator, Callable, Sequence, Set
from typing import Final

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kyouko.ports import JournalDamage, JournalRecord, Journals, NetworkJournal
from kyouko.storage.journal.problems import journal_unavailable
from kyouko.storage.journal.records import Part
from mesh.encryption.keys import KEY_ID_BYTES, Damaged, Encryption, EncryptionError, UnknownKey

_log = structlog.get_logger(__name__)
_MARKER: Final = b"\xe1"
_SALT_BYTES: Final = 16
_SALT_AT: Final = 1 + KEY_ID_BYTES
_HEAD_BYTES: Final = _SALT_AT + _SALT_BYTES
_PURPOSE: Final = b"hanami journal "


def key_id_of(data: bytes) -> bytes:
    """Return the id of the key that a record is encrypted with; empty for a plain one."""
    return data[1:_SALT_AT] if data.startswith(_MARKER) else b""


class RecordCipher:
    """Encrypts and decrypts the records of one journal, from one opening to its end."""

    def __init__(self, uid: str, encryption: Encryption) -> None:
        self._uid = uid
        self._encryption = encryption
        self._context = _PURPOSE + uid.encode("ascii")
        self._ciphers: dict[bytes, AESGCM] = {}
        self._head = b""
        if encryption.keys is not None:
            self._head = _MARKER + encryption.keys.active.id + os.urandom(_SALT_BYTES)
            self._cipher = self._cipher_of(self._head, 0)

    def seal(self, position: int, parts: Sequence[Part]) -> Sequence[Part]:
        """Return the parts of an encrypted record; of a plain one without keys."""
        if not self._head:
            return parts
        plain = b"".join(parts)
        return self._head, self._cipher.encrypt(_nonce(position), plain, self._context)

    def open(self, position: int, data: bytes) -> bytes:
        """Return what was encrypted.

        Raises:
            UnknownKey: The key is not known here.
            Damaged: It was changed, or moved.
            EncryptionError: It is plain, and may not be.
        """
        place = self._place(position)
        if not data.startswith(_MARKER):
            if self._encryption.required:
                raise EncryptionError(f"{place} is not encrypted, which is required")
            return data
        cipher = self._cipher_of(data[:_HEAD_BYTES], position)
        try:
            sealed = memoryview(data)[_HEAD_BYTES:]
            return cipher.decrypt(_nonce(position), sealed, self._context)
        except InvalidTag:
            raise Damaged(place, "it was changed") from None

    def _cipher_of(self, head: bytes, position: int) -> AESGCM:
        if head not in self._ciphers:
            keys = self._encryption.keys
            key = keys.get(head[1:_SALT_AT]) if keys is not None else None
            if key is None:
                known = keys.ids if keys is not None else ()
                raise UnknownKey(self._place(position), head[1:_SALT_AT], known)
            self._ciphers[head] = AESGCM(key.derive(_PURPOSE, head[_SALT_AT:]))
        return self._ciphers[head]

    def _place(self, position: int) -> str:
        return f"record {position} of the journal {self._uid}"


class EncryptedJournals:
    """Journals whose records are encrypted; see `kyouko.ports.Journals`."""

    def __init__(self, journals: Journals, encryption: Encryption) -> None:
        self._journals = journals
        self._encryption = encryption

    async def open(self, uid: str, *, after: int) -> "EncryptedJournal":
        """Open the journal of a network whose snapshot knows of all positions up to `after`."""
        journal = await self._journals.open(uid, after=after)
        return EncryptedJournal(uid, journal, self._encryption)

    async def delete(self, uid: str) -> None:
        """Forget a network's journal."""
        await self._journals.delete(uid)

    async def uids(self) -> Set[str]:
        """Return the networks that have a journal."""
        return await self._journals.uids()

    async def check(self) -> None:
        """Raise when nothing can be made durable at this moment."""
        await self._journals.check()

    async def close(self) -> None:
        """Close all journals, and let go of everything."""
        await self._journals.close()


class EncryptedJournal:
    """The journal of one network; see `kyouko.ports.NetworkJournal`."""

    def __init__(self, uid: str, journal: NetworkJournal, encryption: Encryption) -> None:
        self._uid = uid
        self._journal = journal
        self._cipher = RecordCipher(uid, encryption)

    @property
    def damage(self) -> JournalDamage | None:
        """What could not be read when the journal was opened."""
        return self._journal.damage

    @property
    def last_position(self) -> int:
        """The position of the newest record, durable or not."""
        return self._journal.last_position

    @property
    def durable_position(self) -> int:
        """The position up to which no crash can take anything."""
        return self._journal.durable_position

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        """Take a record, given in parts that nobody changes; returns its position."""
        position = self._journal.last_position + 1
        return self._journal.append(self._cipher.seal(position, parts))

    async def room(self) -> None:
        """Wait until few enough bytes wait for the disk that more may be appended."""
        await self._journal.room()

    async def flush(self) -> None:
        """Wait until all that was appended is durable."""
        await self._journal.flush()

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever `durable_position` has moved, or writing fails."""
        return self._journal.watch(notify)

    async def read(self, after: int) -> AsyncIterator[JournalRecord]:
        """Yield the durable records after a position, in order.

        Raises:
            Unavailable: JOURNAL_UNAVAILABLE: they cannot be read now, or not be decrypted.
        """
        async for record in self._journal.read(after):
            yield JournalRecord(record.position, self._opened(record))

    async def release(self, through: int) -> None:
        """Forget records up to a position, as far as that can be done cheaply."""
        await self._journal.release(through)

    async def close(self) -> None:
        """Make everything durable if possible, and let go of files and connections."""
        await self._journal.close()

    def _opened(self, record: JournalRecord) -> bytes:
        try:
            return self._cipher.open(record.position, record.data)
        except EncryptionError as error:
            # Not the same as damage: nothing is given up because a key is missing for a while.
            _log.error("a journal cannot be decrypted", journal=self._uid, problem=str(error))
            raise journal_unavailable(str(error)) from error


def _nonce(position: int) -> bytes:
    return position.to_bytes(12, "big")
