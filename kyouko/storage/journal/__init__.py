"""The journals of networks: what they learned, in order, so that no crash can take it.

`prepared_journals` keeps them where a setting says: in files, or in NATS JetStream.
"""

from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator

from kyouko.ports import Journals
from kyouko.storage.journal.files import FileJournals


def checked_url(url: str) -> str:
    """Return a URL of journals if it is one that is known here, or empty.

    Raises:
        ValueError: It is not; the message does not repeat it.
    """
    parts = urlsplit(url)
    is_folder = parts.scheme == "file" and not parts.netloc and len(parts.path) > 1
    is_plain = not (parts.query or parts.fragment)
    if url and not (is_folder and is_plain):
        raise ValueError("it is not file:///FOLDER")
    return url


JournalUrl = Annotated[str, AfterValidator(checked_url)]


async def prepared_journals(
    url: str, *, default: Path, flush_seconds: float = 0.01, pending_bytes: int = 64 * 2**20
) -> Journals:
    """Return the journals at a place, ready for use.

    Args:
        url: A `file:` URL; the folder `default` when empty.
        default: Where files go without a URL.
        flush_seconds: How long records are gathered before they are written and synced.
        pending_bytes: Most memory for records that are not durable yet.

    Raises:
        SystemExit: They cannot be kept there; the message says why.
    """
    folder = Path(unquote(urlsplit(checked_url(url)).path)) if url else default
    journals = FileJournals(folder, flush_seconds=flush_seconds, pending_bytes=pending_bytes)
    await journals.prepare()
    return journals
