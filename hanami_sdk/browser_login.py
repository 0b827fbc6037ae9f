"""A login with an account of another provider, in the browser of this machine (RFC 8252).

The provider sends the browser to a loopback address, where this process waits for it.
"""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from hanami_sdk.errors import DeadlineExceeded, InvalidArgument, Unauthenticated

if TYPE_CHECKING:
    from hanami_sdk.areas.providers import Providers
    from hanami_sdk.sessions import Tokens

OpenUrl = Callable[[str], object]

_PATH = "/login"
_LONGEST_REQUEST = 16 * 1024
_REQUEST_SECONDS = 10.0
_PAGE = (
    "<!doctype html><meta charset=utf-8><title>Hanami</title>"
    "<p style='font: 1.2em system-ui; margin: 3em'>{}</p>"
)


async def login_in_browser(
    providers: Providers,
    provider: str,
    *,
    project: str,
    open_url: OpenUrl | None,
    wait_seconds: float,
) -> Tokens:
    """Take all steps of a login; see `AsyncClient.login_with_provider`."""
    chosen = provider or await _only_provider(providers)
    async with listening() as landing:
        started = await providers.start(chosen, landing.redirect_uri)
        landing.expect(started.authorization_url)
        await asyncio.to_thread(open_url or webbrowser.open, started.authorization_url)
        arrival = await landing.arrival(wait_seconds)
    return await providers.finish(
        state=arrival.state, code=arrival.code, handle=started.handle, project=project
    )


@dataclass(frozen=True)
class Arrival:
    """What the browser brought back."""

    state: str
    code: str = field(repr=False)


class Landing:
    """Where the browser comes back to.

    Attributes:
        redirect_uri: its address.
    """

    def __init__(self) -> None:
        self.redirect_uri = ""
        self._state = ""
        self._open: set[asyncio.StreamWriter] = set()
        self._arrived: asyncio.Future[Arrival] = asyncio.get_running_loop().create_future()

    def expect(self, authorization_url: str) -> None:
        """Let only the browser in that was sent to this address."""
        self._state = _first(urlsplit(authorization_url).query, "state")

    async def arrival(self, wait_seconds: float) -> Arrival:
        """Wait for the browser.

        Raises:
            DeadlineExceeded: nobody came in time.
            Unauthenticated: the provider let nobody in (CREDENTIALS_INVALID).
        """
        try:
            return await asyncio.wait_for(self._arrived, wait_seconds)
        except TimeoutError:
            raise DeadlineExceeded("Nobody came back from the browser in time.") from None

    def close(self) -> None:
        """Let nobody in any more."""
        # Browsers open connections ahead, and would be waited for.
        for writer in self._open:
            writer.close()
        if self._arrived.done() and not self._arrived.cancelled():
            self._arrived.exception()  # It may be that nobody has asked for it.
        self._arrived.cancel()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request of a browser."""
        self._open.add(writer)
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _REQUEST_SECONDS)
            status, words = self._answer(head.split(b"\r\n", 1)[0].decode("ascii", "replace"))
            writer.write(_response(status, words))
            await writer.drain()
        except (
            TimeoutError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            OSError,
            ValueError,  # an address that is none
        ):
            return  # Whoever this was, it is not the browser that is waited for.
        finally:
            self._open.discard(writer)
            writer.close()

    def _answer(self, request_line: str) -> tuple[str, str]:
        method, _, rest = request_line.partition(" ")
        address = urlsplit(rest.rpartition(" ")[0])
        if method != "GET" or address.path != _PATH:
            return "404 Not Found", "There is nothing here."
        if not self._state or _first(address.query, "state") != self._state:
            return "400 Bad Request", "This login was not begun here. Begin it again."
        code = _first(address.query, "code")
        if self._arrived.done():
            return "200 OK", "This login was made already. You can close this window."
        if code:
            self._arrived.set_result(Arrival(self._state, code))
            return "200 OK", "Back at Hanami. You can close this window."
        why = _first(address.query, "error_description") or _first(address.query, "error")
        self._arrived.set_exception(
            Unauthenticated(
                f"The provider let nobody in{f': {why[:200]}' if why else ''}.",
                reason="CREDENTIALS_INVALID",
            )
        )
        return "200 OK", "The provider did not let you in. You can close this window."


@asynccontextmanager
async def listening() -> AsyncIterator[Landing]:
    """Wait on a free port of the loopback address for a browser."""
    landing = Landing()
    server = await asyncio.start_server(landing.serve, "127.0.0.1", 0, limit=_LONGEST_REQUEST)
    landing.redirect_uri = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{_PATH}"
    try:
        yield landing
    finally:
        server.close()
        landing.close()
        await server.wait_closed()


async def _only_provider(providers: Providers) -> str:
    known = [found.name async for found in providers.list()]
    if len(known) == 1:
        return known[0]
    names = ", ".join(name.removeprefix("loginProviders/") for name in known)
    raise InvalidArgument(
        f"Say which provider: {names}." if known else "This mesh knows no login providers.",
        reason="FIELD_INVALID",
    )


def _first(query: str, name: str) -> str:
    return parse_qs(query).get(name, [""])[0]


def _response(status: str, words: str) -> bytes:
    page = _PAGE.format(words).encode()
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\n"
        f"content-length: {len(page)}\r\ncache-control: no-store\r\n"
        "referrer-policy: no-referrer\r\n"
        "content-security-policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode("ascii") + page
