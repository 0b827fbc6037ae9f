"""Argon2id hashes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError

from misaki.crypto.passwords import Argon2Passwords


@pytest.fixture
def passwords() -> Iterator[Argon2Passwords]:
    """Return the cheapest passwords allowed."""
    with ThreadPoolExecutor(1) as executor:
        yield Argon2Passwords(executor, memory_kib=8 * 1024)


async def test_password_matches_its_hash_only(passwords: Argon2Passwords) -> None:
    """The right password fits, another does not."""
    password_hash = await passwords.hash("open sesame")

    assert await passwords.matches("open sesame", password_hash)
    assert not await passwords.matches("open sesame!", password_hash)


async def test_hash_is_argon2id_with_parameters_and_salt(passwords: Argon2Passwords) -> None:
    """Kind and parameters are part of the hash, and the salt differs each time."""
    first, second = await passwords.hash("open sesame"), await passwords.hash("open sesame")

    assert first.startswith("$argon2id$v=19$m=8192,")
    assert first != second
    assert len(first) <= 256


async def test_hash_of_less_than_what_is_set_is_outdated(passwords: Argon2Passwords) -> None:
    """One of as much or more is not, however else it was made."""
    hashes = [
        PasswordHasher(time_cost=rounds, memory_cost=kib, parallelism=lanes, type=kind).hash("x")
        for rounds, kib, lanes, kind in (
            (3, 8192, 1, Type.ID),
            (4, 16384, 8, Type.ID),
            (3, 4096, 4, Type.ID),
            (2, 8192, 4, Type.ID),
            (3, 8192, 4, Type.I),
        )
    ]

    outdated = [passwords.is_outdated(each) for each in (await passwords.hash("x"), *hashes)]

    assert [False, False, False, True, True, True] == outdated


async def test_nobody_has_no_password(passwords: Argon2Passwords) -> None:
    """Without a hash no password fits, not even that of the stand-in."""
    assert not await passwords.matches("nobody", None)


async def test_damaged_hash_is_a_mistake_of_ours(passwords: Argon2Passwords) -> None:
    """A hash that is none is an error to look into, not a wrong password."""
    with pytest.raises(InvalidHashError):
        await passwords.matches("x", "no hash")
