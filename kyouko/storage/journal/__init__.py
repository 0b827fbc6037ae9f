"""The journals of networks: what they learned, in order, so that no crash can take it.

`prepared_journals` keeps them where a setting says: in files, or in NATS JetStream.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator

from kyouko.ports import Journals
from kyouko.storage.journal.files import FileJournals
from kyouko.storage.journal.jetstream import JetStreamJournals, StreamOptions

_NATS_SCHEMES: Final = frozenset({"nats", "tls"})


@dataclass(frozen=True)
class JournalOptions:
    """How journals are kept.

    Attributes:
        flush_seconds: how long records are gathered before they are made durable together.
        pending_bytes: most memory for records that are not durable yet.
        patience_seconds: how long a NATS server may be away before callers are told.
        credentials_file: for NATS: its credentials file, or `user:password`, or a token.
        stream: for NATS: the stream that holds the journals.
    """

    flush_seconds: float = 0.01
    pending_bytes: int = 64 * 2**20
    patience_seconds: float = 5.0
    credentials_file: Path | None = None
    stream: StreamOptions = field(default_factory=StreamOptions)


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
    url: str, *, default: Path, options: JournalOptions | None = None
) -> Journals:
    """Return the journals at a place, ready for use.

    Args:
        url: A `file:` URL, or `nats:` or `tls:` URLs; the folder `default` when empty.
        default: Where files go without a URL.
        options: How they are kept.

    Raises:
        SystemExit: They cannot be kept there; the message says why.
    """
    wanted = options or JournalOptions()
    journals: FileJournals | JetStreamJournals
    if not checked_url(url) or _is_folder(url):
        journals = FileJournals(
            Path(unquote(urlsplit(url).path)) if url else default,
            flush_seconds=wanted.flush_seconds,
            pending_bytes=wanted.pending_bytes,
        )
    else:
        journals = JetStreamJournals(
            url.split(","),
            stream=wanted.stream,
            credentials_file=wanted.credentials_file,
            flush_seconds=wanted.flush_seconds,
            pending_bytes=wanted.pending_bytes,
            patience_seconds=wanted.patience_seconds,
        )
    await journals.prepare()
    return journals


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
