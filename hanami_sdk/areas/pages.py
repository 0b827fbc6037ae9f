"""Walks through listings that come page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, TypeVar

from hanami_sdk.connection import Connection, RequestT

ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")


async def walk_pages(
    connection: Connection,
    method: Callable[..., Any],
    request: RequestT,
    answer: type[PageT],
    items: Callable[[PageT], Iterable[ItemT]],
) -> AsyncIterator[ItemT]:
    """Yield every item of a listing; pages are fetched as they are needed."""
    while True:
        page: Any = await connection.unary(method, request, answer)
        for item in items(page):
            yield item
        if not page.next_page_token:
            return
        setattr(request, "page_token", page.next_page_token)  # noqa: B010  requests share no base
