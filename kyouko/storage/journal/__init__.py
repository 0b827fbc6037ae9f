"""The journals of networks: what they learned, in order, so that no crash can take it.

`prepared_journals` keeps them where a setting says: in files, or in NATS JetStream.
"""

import asyncio
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator

from kyouko.ports import Journals
from kyouko.storage.journal.claim import known_owner
from kyouko.storage.journal.encrypted import EncryptedJournals
from kyouko.storage.journal.files import FileJournals
from kyouko.storage.journal.jetstream import JetStreamJournals, NatsOptions
from mesh.encryption.keys import Encryption

__all__ = ["JournalUrl", "NatsOptions", "checked_url", "journal_folder", "prepared_journals"]

_NATS_SCHEMES: Final = frozenset({"nats", "tls"})


def checked_url(url: str) -> str:
    """Return a URL of journals if it is one that is known here, or empty.

    Raises:
        ValueError: It is not; the message does not repeat it.
    """
    if url and not (_is_folder(url) or all(map(_is_server, url.split(",")))):
        raise ValueError(
            "it is neither file:///FOLDER nor nats://HOST:PORT (several separated by commas); "
            "credentials belong into a file"
        )
    return url


JournalUrl = Annotated[str, AfterValidator(checked_url)]


async def prepared_journals(
    url: str,
    *,
    folder: Path,
    flush_seconds: float = 0.01,
    pending_bytes: int = 64 * 2**20,
    encryption: Encryption | None = None,
    nats: NatsOptions | None = None,
) -> Journals:
    """Return the journals at a place, ready for use.

    Args:
        url: A `file:` URL, or `nats:` or `tls:` URLs; `folder` when empty.
        folder: Where files go without a URL, and where a NATS server's client keeps who it is.
        flush_seconds: How long records are gathered before they are made durable together.
        pending_bytes: Most memory for records that are not durable yet.
        encryption: How records are encrypted; not at all when None.
        nats: What else a NATS server needs.

    Raises:
        SystemExit: They cannot be kept there; the message says why.
    """
    journals: FileJournals | JetStreamJournals
    place = journal_folder(url, folder)
    if place is not None:
        journals = FileJournals(place, flush_seconds=flush_seconds, pending_bytes=pending_bytes)
    else:
        journals = JetStreamJournals(
            url.split(","),
            nats,
            owner=await asyncio.to_thread(_owner, folder),
            flush_seconds=flush_seconds,
            pending_bytes=pending_bytes,
        )
    await journals.prepare()
    return EncryptedJournals(journals, encryption or Encryption())


def journal_folder(url: str, folder: Path) -> Path | None:
    """Return where the files of journals are, `folder` without a URL; None when in NATS."""
    if checked_url(url) and not _is_folder(url):
        return None
    return Path(unquote(urlsplit(url).path)) if url else folder


def _owner(folder: Path) -> str:
    try:
        return known_owner(folder)
    except OSError as error:
        raise SystemExit(f"cannot keep in {folder} who owns the journals: {error}") from error


def _is_folder(url: str) -> bool:
    parts = urlsplit(url)
    is_plain = not (parts.netloc or parts.query or parts.fragment)
    return parts.scheme == "file" and is_plain and len(parts.path) > 1


def _is_server(url: str) -> bool:
    parts = urlsplit(url)
    is_plain = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    try:
        has_port = parts.port is not None
    except ValueError:
        return False
    return parts.scheme in _NATS_SCHEMES and is_plain and bool(parts.hostname) and has_port
