"""Argon2id password hashes, computed in threads of their own."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Final

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError

from misaki.crypto import strength

# More of each makes guessing dearer; more lanes (parallelism) do not.
_STRENGTHS: Final = ("version", "time_cost", "memory_cost", "salt_len", "hash_len")


class Argon2Passwords:
    """Hashes with Argon2id; salt and parameters are part of each hash."""

    def __init__(self, executor: Executor, *, memory_kib: int) -> None:
        """Take the means.

        Args:
            executor: Where hashes are computed. Its size bounds the memory that
                logins take together.
            memory_kib: Memory of one hash in KiB.
        """
        self._executor = executor
        self._hasher = PasswordHasher(memory_cost=memory_kib)
        # Compared with when there is no user, so that this takes as long.
        self._nobody = self._hasher.hash("nobody")
        self._parameters = extract_parameters(self._nobody)

    async def hash(self, password: str) -> str:
        """Return a salted hash."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._hasher.hash, password)

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Tell whether a password belongs to a hash; see `Passwords.matches`."""
        loop = asyncio.get_running_loop()
        fits = await loop.run_in_executor(
            self._executor, self._verify, password, password_hash or self._nobody
        )
        return fits and bool(password_hash)

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether a hash is easier to break than those made now; see `Passwords`.

        Not with every other parameter: instances of before and after a change of the
        settings would make the hashes anew in turns.
        """
        made, wanted = extract_parameters(password_hash), self._parameters
        return made.type is not wanted.type or any(
            getattr(made, name) < getattr(wanted, name) for name in _STRENGTHS
        )

    def weakness(self, password: str, known: Sequence[str]) -> str:
        """Return why a new password is too easy to guess; see `Passwords.weakness`."""
        return strength.weakness(password, known)

    def _verify(self, password: str, password_hash: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except VerifyMismatchError:
            return False
