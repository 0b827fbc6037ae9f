"""What encryption adds to journals: nothing shows, nothing can be changed or moved."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from kyouko.storage.journal.encrypted import EncryptedJournals
from kyouko.storage.journal.rewriting import rewrite
from mesh.encryption.keys import Encryption, KeyEncryptionKey, KeyRing
from mesh.errors import Unavailable
from tests.contract.kyouko.journal_homes import FileHome, all_records, started

ONE, TWO = "1" * 32, "2" * 32
OLD, NEW = KeyEncryptionKey(bytes(32)), KeyEncryptionKey(b"n" * 32)
RECORDS = [b"\x01 chrysanthemum", b"\x01 daisy", b"\x01 elder"]


async def write(home: FileHome, *, uid: str = ONE, encryption: Encryption | None = None) -> None:
    """Append the records to a journal, encrypted if there are keys."""
    async with started(home) as journals:
        journal = await EncryptedJournals(journals, encryption or with_keys(OLD)).open(uid, after=0)
        for record in RECORDS:
            journal.append([record[:4], memoryview(record[4:])])
        await journal.flush()


async def read(home: FileHome, encryption: Encryption, *, uid: str = ONE) -> list[bytes]:
    """Return the records of a journal."""
    async with started(home) as journals:
        journal = await EncryptedJournals(journals, encryption).open(uid, after=0)
        return [record.data for record in await all_records(journal)]


async def raw(home: FileHome) -> list[bytes]:
    """Return the records as they are stored."""
    async with started(home) as journals:
        return [record.data for record in await all_records(await journals.open(ONE, after=0))]


async def forge(home: FileHome, records: Sequence[bytes], *, uid: str = ONE) -> None:
    """Store records that look good to whoever has no key: checksums and all."""
    async with started(home) as journals:
        await journals.delete(uid)
        journal = await journals.open(uid, after=0)
        for record in records:
            journal.append([record])
        await journal.flush()


def with_keys(*keys: KeyEncryptionKey, required: bool = False) -> Encryption:
    """Return encryption with these keys, the first one in use."""
    return Encryption(KeyRing(keys), required)


@pytest.fixture
def home(tmp_path: Path) -> FileHome:
    """Return an empty folder for journals."""
    return FileHome(tmp_path, segment_bytes=2**20)


async def test_no_row_shows_in_the_files(home: FileHome) -> None:
    """What was appended is nowhere in the folder, and comes back."""
    await write(home)

    stored = b"".join(path.read_bytes() for path in home.directory.rglob("*.journal"))

    assert not [word for word in (b"chrysanthemum", b"daisy", b"elder") if word in stored]
    assert RECORDS == await read(home, with_keys(OLD))


async def test_each_opening_has_a_key_of_its_own(home: FileHome) -> None:
    """The same record at the same position never looks the same."""
    await write(home)
    first = await raw(home)
    await forge(home, [])
    await write(home)

    assert not set(first) & set(await raw(home))


async def test_records_go_on_under_a_new_key(home: FileHome) -> None:
    """After rotation a journal holds records of both keys, and both are read."""
    await write(home)
    await write(home, encryption=with_keys(NEW, OLD))

    assert [*RECORDS, *RECORDS] == await read(home, with_keys(NEW, OLD))


async def test_plain_records_are_read_unless_encryption_is_required(home: FileHome) -> None:
    """A journal from before there was a key is not lost."""
    await write(home, encryption=Encryption())

    assert RECORDS == await read(home, with_keys(OLD))
    with pytest.raises(Unavailable, match=f"record 1 of the journal {ONE} is not encrypted"):
        await read(home, with_keys(OLD, required=True))


@pytest.mark.parametrize("keys", [with_keys(NEW), Encryption()])
async def test_wrong_key_is_named(home: FileHome, keys: Encryption) -> None:
    """A missing key is no damage: the journal waits for it."""
    await write(home)

    with pytest.raises(Unavailable) as caught:
        await read(home, keys)

    assert f"encrypted with the key {OLD.id.hex()}" in caught.value.message
    assert "JOURNAL_UNAVAILABLE" == caught.value.reason
    assert RECORDS == await read(home, with_keys(OLD))


@pytest.mark.parametrize("place", [9, 25, -1])
async def test_changed_record_is_found(home: FileHome, place: int) -> None:
    """Also by somebody who makes all checksums fit."""
    await write(home)
    records = await raw(home)
    changed = bytearray(records[1])
    changed[place] ^= 1

    await forge(home, [records[0], bytes(changed), records[2]])

    with pytest.raises(Unavailable, match=f"record 2 of the journal {ONE} is damaged"):
        await read(home, with_keys(OLD))


async def test_records_cannot_be_moved_or_left_out(home: FileHome) -> None:
    """A record opens at its own position of its own journal only."""
    await write(home)
    records = await raw(home)
    await forge(home, [records[1], records[0]])
    await forge(home, records, uid=TWO)

    with pytest.raises(Unavailable, match=f"record 1 of the journal {ONE} is damaged"):
        await read(home, with_keys(OLD))
    with pytest.raises(Unavailable, match=f"record 1 of the journal {TWO} is damaged"):
        await read(home, with_keys(OLD), uid=TWO)


async def test_files_are_brought_under_the_new_key(home: FileHome) -> None:
    """Afterwards the old key opens nothing and the new one everything, plain records included."""
    small = FileHome(home.directory, segment_bytes=400)
    await write(small)
    await write(small, encryption=with_keys(NEW, OLD))
    await write(small, uid=TWO, encryption=Encryption())

    changed, problems = rewrite(home.directory, with_keys(NEW, OLD))

    again = rewrite(home.directory, with_keys(NEW))
    assert [*RECORDS, *RECORDS] == await read(home, with_keys(NEW, required=True))
    assert RECORDS == await read(home, with_keys(NEW, required=True), uid=TWO)
    assert changed >= 2
    assert ([], (0, [])) == (problems, again)


async def test_journals_go_on_after_they_were_brought_along(home: FileHome) -> None:
    """New records follow the rewritten ones."""
    await write(home)
    rewrite(home.directory, with_keys(NEW, OLD))

    await write(home, encryption=with_keys(NEW))

    assert [*RECORDS, *RECORDS] == await read(home, with_keys(NEW))


async def test_files_of_a_running_process_are_left_alone(home: FileHome) -> None:
    """They are named, and nothing in them changes."""
    await write(home)
    async with started(home):
        changed, problems = rewrite(home.directory, with_keys(NEW, OLD))

    assert (0, 1) == (changed, len(problems))
    assert f"the journal {ONE} may need other keys" in problems[0]
    assert RECORDS == await read(home, with_keys(OLD))


async def test_records_of_a_lost_key_are_named(home: FileHome) -> None:
    """What cannot be decrypted stays as it is."""
    await write(home)

    changed, problems = rewrite(home.directory, with_keys(NEW))

    assert (0, 1) == (changed, len(problems))
    assert f"encrypted with the key {OLD.id.hex()}" in problems[0]
    assert RECORDS == await read(home, with_keys(OLD))
