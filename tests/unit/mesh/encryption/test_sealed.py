"""Encrypted objects: any content comes back, and no change goes unnoticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.encryption.keys import Damaged, KeyEncryptionKey, KeyRing, UnknownKey
from mesh.encryption.rewrapping import rewrapped
from mesh.encryption.sealed import HEADER_BYTES, Opener, Sealer, is_sealed, seal

CHUNK = 1 << 16
STEP = CHUNK + 16
OLD = KeyRing([KeyEncryptionKey(bytes(32))])
NEW = KeyRing([KeyEncryptionKey(b"n" * 32)])
BOTH = KeyRing([KeyEncryptionKey(b"n" * 32), KeyEncryptionKey(bytes(32))])
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5]


def content_of(size: int) -> bytes:
    """Return bytes of which no two chunks are alike."""
    return b"".join(i.to_bytes(4, "little") for i in range(-(-size // 4)))[:size]


def opened(sealed: bytes, *, place: str = "a", keys: KeyRing | None = OLD) -> bytes:
    """Return the content of an object."""
    return Opener(sealed[:HEADER_BYTES], len(sealed), place=place, keys=keys).open_all(sealed)


@pytest.mark.parametrize("size", SIZES)
def test_content_comes_back(size: int) -> None:
    """Whatever the size, what was encrypted is decrypted, and its bytes do not show."""
    content = content_of(size)

    sealed = bytes(seal(content, place="a", keys=OLD))

    assert content == opened(sealed)
    assert is_sealed(sealed)
    assert size < 16 or content[:16] not in sealed


@given(
    size=st.sampled_from(SIZES),
    start=st.integers(0, 4 * CHUNK),
    length=st.integers(0, 2 * CHUNK),
)
def test_part_comes_back(size: int, start: int, length: int) -> None:
    """A range is decrypted from no more than the chunks that hold it."""
    content = content_of(size)
    start = min(start, size)
    length = min(length, size - start)
    sealed = bytes(seal(content, place="a", keys=OLD))
    opener = Opener(sealed[:HEADER_BYTES], len(sealed), place="a", keys=OLD)

    begin, span = opener.span(start, length)

    assert content[start : start + length] == opener.open_span(
        sealed[begin : begin + span], start, length
    )
    assert span <= (length // CHUNK + 2) * STEP


def test_pieces_are_the_same_as_the_whole() -> None:
    """What is encrypted piece by piece opens like what was encrypted at once."""
    content = content_of(3 * CHUNK + 5)
    sealer = Sealer(len(content), place="a", keys=OLD)

    sealed = b"".join(sealer.pieces([content[: 2 * CHUNK], content[2 * CHUNK :]]))

    assert content == opened(sealed)
    assert sealer.sealed_size == len(sealed)


@pytest.mark.parametrize("pieces", [[b"12"], [b"1", b"2", b"34"]])
def test_file_that_changes_meanwhile_is_refused(pieces: list[bytes]) -> None:
    """A file that is not as long as it was is an error, and no short object."""
    sealer = Sealer(3, place="a", keys=OLD)

    with pytest.raises(ValueError, match="has changed"):
        list(sealer.pieces(pieces))


def test_same_content_never_looks_the_same() -> None:
    """Each object has a key of its own."""
    first, second = (bytes(seal(b"x" * 100, place="a", keys=OLD)) for _ in range(2))

    assert first[HEADER_BYTES:] != second[HEADER_BYTES:]


# In the header, in the first, a middle and the last chunk, and in their tags.
PLACES = [10, 16, 24, 40, 90, HEADER_BYTES, HEADER_BYTES + CHUNK, HEADER_BYTES + STEP + 7, -16, -1]


@pytest.mark.parametrize("place", PLACES)
def test_changed_bit_is_found(place: int) -> None:
    """A single bit that is not as it was makes an error that names the object."""
    sealed = bytearray(seal(content_of(2 * CHUNK + 5), place="tables/one", keys=OLD))
    sealed[place] ^= 1

    with pytest.raises((Damaged, UnknownKey), match=r"^tables/one is ") as caught:
        opened(bytes(sealed), place="tables/one")

    assert place < HEADER_BYTES or "the chunk at byte" in str(caught.value)


def test_bytes_of_a_changed_chunk_are_never_given() -> None:
    """Other chunks than the changed one can still be read, for what they are worth."""
    content = content_of(2 * CHUNK)
    sealed = bytearray(seal(content, place="a", keys=OLD))
    sealed[-1] ^= 1
    opener = Opener(sealed[:HEADER_BYTES], len(sealed), place="a", keys=OLD)

    assert content[:CHUNK] == opener.open_span(sealed[HEADER_BYTES:][:STEP], 0, CHUNK)
    with pytest.raises(Damaged, match="the chunk at byte 65536 was changed"):
        opener.open_span(sealed[HEADER_BYTES + STEP :], CHUNK, CHUNK)


@pytest.mark.parametrize("size", [0, 20, HEADER_BYTES, HEADER_BYTES + STEP, -1, -STEP])
def test_cut_off_object_is_found_before_it_is_read(size: int) -> None:
    """Also a cut between two chunks shows at once."""
    sealed = bytes(seal(content_of(3 * CHUNK), place="a", keys=OLD))

    with pytest.raises(Damaged, match=r"^a is damaged.*: it (has|is)"):
        opened(sealed[:size])


def test_object_that_is_cut_off_while_it_is_read_is_found() -> None:
    """A part that is shorter than it must be is no content, however well its chunks open."""
    sealed = bytes(seal(content_of(3 * CHUNK), place="a", keys=OLD))
    opener = Opener(sealed[:HEADER_BYTES], len(sealed), place="a", keys=OLD)

    with pytest.raises(Damaged, match="cut off while it was read"):
        opener.open_span(sealed[HEADER_BYTES:][:STEP], 0, 2 * CHUNK)


def test_longer_object_is_found() -> None:
    """Nothing can be added behind the end."""
    sealed = bytes(seal(content_of(CHUNK), place="a", keys=OLD))

    with pytest.raises(Damaged, match="instead of"):
        opened(sealed + sealed[HEADER_BYTES:])


def test_chunks_cannot_change_places() -> None:
    """A chunk opens at its own place only."""
    sealed = bytes(seal(content_of(2 * CHUNK), place="a", keys=OLD))
    header, first, second = sealed[:HEADER_BYTES], sealed[HEADER_BYTES:-STEP], sealed[-STEP:]

    with pytest.raises(Damaged, match="the chunk at byte 0 was changed"):
        opened(header + second + first)


def test_object_of_another_place_is_refused() -> None:
    """Who swaps two objects is found out."""
    sealed = bytes(seal(b"1", place="p/a/1", keys=OLD))

    with pytest.raises(Damaged, match=f"^p/b/1 is damaged.*{OLD.active.id.hex()}"):
        opened(sealed, place="p/b/1")


def test_header_of_another_object_is_refused() -> None:
    """A header opens its own chunks only, also at the same place and size."""
    first, second = (bytes(seal(b"x" * 100, place="a", keys=OLD)) for _ in range(2))

    with pytest.raises(Damaged, match="the chunk at byte 0"):
        opened(first[:HEADER_BYTES] + second[HEADER_BYTES:])


@pytest.mark.parametrize("keys", [NEW, None])
def test_wrong_key_is_named(keys: KeyRing | None) -> None:
    """The error names the key that is needed and those that there are."""
    sealed = bytes(seal(b"1", place="a", keys=OLD))
    known = NEW.active.id.hex() if keys else "none"

    with pytest.raises(UnknownKey) as caught:
        opened(sealed, keys=keys)

    needed = OLD.active.id.hex()
    assert f"a is encrypted with the key {needed}; the keys known here: {known}" == str(
        caught.value
    )


def test_rewrapped_object_needs_the_new_key_only() -> None:
    """After rotation the old key opens nothing, and the body is as it was."""
    content = content_of(CHUNK + 1)
    sealed = bytes(seal(content, place="a", keys=OLD))

    header = rewrapped(sealed[:HEADER_BYTES], place="a", keys=BOTH)

    assert header is not None
    fresh = header + sealed[HEADER_BYTES:]
    assert content == opened(fresh, keys=NEW)
    assert OLD.active.id not in fresh[:HEADER_BYTES]
    assert rewrapped(header, place="a", keys=BOTH) is None
    with pytest.raises(UnknownKey):
        opened(fresh, keys=OLD)


def test_rotation_goes_on_and_on() -> None:
    """The slots take turns, however often a key is wrapped anew."""
    rings = [
        KeyRing([KeyEncryptionKey(bytes([n + 1] * 32)), KeyEncryptionKey(bytes([n] * 32))])
        for n in range(4)
    ]
    sealed = bytes(seal(b"12", place="a", keys=OLD))

    for ring in rings:
        header = rewrapped(sealed[:HEADER_BYTES], place="a", keys=ring)
        assert header is not None
        sealed = header + sealed[HEADER_BYTES:]

    assert b"12" == opened(sealed, keys=rings[-1])
