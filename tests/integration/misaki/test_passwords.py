"""Hashes of passwords when the settings change."""

from pathlib import Path

from mesh.database import Database
from mesh.revocations import Revocation
from misaki.settings import MisakiSettings
from misaki.storage.access import SqlAccessStore
from misaki.storage.repository import SqlDirectory
from tests.integration.meshes import ADMIN_ID, start_misaki


async def stored_hash(settings: MisakiSettings) -> str:
    """Return the hash of the admin's password."""
    database = Database(settings.effective_database_url, schema="misaki")
    announced: list[Revocation] = []
    access = SqlAccessStore(database, recorded=announced.extend)
    credentials = await SqlDirectory(database, access.revoking).find_credentials(ADMIN_ID)
    await database.close()
    assert credentials is not None
    return credentials.password_hash


async def test_login_makes_a_weaker_hash_anew(tmp_path: Path) -> None:
    """With dearer hashes set, one login makes the user's one dearer; earlier logins go on."""
    async with start_misaki(tmp_path, password_memory_kib=8192) as misaki:
        earlier = await misaki.log_in()
        weak = await stored_hash(misaki.settings)
    async with start_misaki(tmp_path, password_memory_kib=16384) as misaki:
        await misaki.log_in()
        strong = await stored_hash(misaki.settings)
        await misaki.log_in()
        again = await stored_hash(misaki.settings)
        await misaki.refresh(earlier.refresh_token)
    async with start_misaki(tmp_path, password_memory_kib=8192) as misaki:
        await misaki.log_in()
        kept = await stored_hash(misaki.settings)

    assert weak.startswith("$argon2id$v=19$m=8192,")
    assert strong.startswith("$argon2id$v=19$m=16384,")
    assert strong == again == kept
