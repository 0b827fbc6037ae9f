"""Page tokens: where a listing goes on, bound to the listing they came from.

They are no secret and give no right: whoever makes one up can ask for no more than a page
of a listing that is theirs to read. But a token that was damaged on its way is noticed.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mesh.errors import InvalidArgument

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000

T = TypeVar("T")


@dataclass(frozen=True)
class PageRequest:
    """Which items of a listing are wanted: `limit` of them after the key `after`."""

    limit: int
    after: str
    listing: str


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some items of a listing, and the token of the next ones (empty: no more)."""

    items: Sequence[T]
    next_page_token: str


def page_request(page_size: int, page_token: str, *, listing: str) -> PageRequest:
    """Return what a list request asks for.

    Args:
        page_size: As in the request; 0 means 50, more than 1000 means 1000.
        page_token: As in the request.
        listing: Names the listing with its parent and filters; a token of
            another listing is refused.

    Raises:
        InvalidArgument: PAGE_TOKEN_INVALID, or FIELD_INVALID for a negative size.
    """
    if page_size < 0:
        raise InvalidArgument.for_field("page_size", f"{page_size} is below 0")
    limit = min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
    return PageRequest(limit, _key_in(page_token, listing) if page_token else "", listing)


def number_after(request: PageRequest) -> int:
    """Return the key of a page request for a listing whose keys are numbers; 0 for the first page.

    Raises:
        InvalidArgument: PAGE_TOKEN_INVALID.
    """
    if request.after and not (request.after.isascii() and request.after.isdigit()):
        raise _invalid("is damaged; use next_page_token as it came")
    return min(int(request.after[:20] or 0), 2**63 - 1)


def page_of(request: PageRequest, items: Sequence[T], key: Callable[[T], str]) -> Page[T]:
    """Return a page from up to `limit + 1` items in the listing's order.

    Args:
        request: What was asked for.
        items: The items after `request.after`, one more than the limit if there
            are that many.
        key: The sort key of an item, printable characters only.
    """
    if len(items) <= request.limit:
        return Page(items, "")
    kept = items[: request.limit]
    return Page(kept, _token(key(kept[-1]), request.listing))


def _token(key: str, listing: str) -> str:
    content = json.dumps([key, _fingerprint(key, listing)], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def _key_in(token: str, listing: str) -> str:
    try:
        padded = token + "=" * (-len(token) % 4)
        key, _ = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise _invalid("is damaged; use next_page_token as it came") from error
    # The same content can be written in many ways; we write it in one.
    if not isinstance(key, str) or not key.isprintable() or token != _token(key, listing):
        raise _invalid("is damaged or of another listing; repeat the first page's request")
    return key


def _fingerprint(key: str, listing: str) -> str:
    content = f"{len(key)} {key}{listing}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(content).hexdigest()[:16]


def _invalid(problem: str) -> InvalidArgument:
    return InvalidArgument.for_field("page_token", problem, reason="PAGE_TOKEN_INVALID")
