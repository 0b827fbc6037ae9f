"""What the opening request of a websocket must look like. Pure: strings in, rules out."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from mesh.errors import InvalidArgument, NotFound

LEARN_PATH = "/v1/learn"
# Direct IO of the prototype.
DIRECT_PATH = "/v1/direct"
WEBSOCKET_PATHS = (LEARN_PATH, DIRECT_PATH)
SUBPROTOCOL = "hanami.v1"
_TOKEN_PREFIX = "bearer."


@dataclass(frozen=True)
class Handshake:
    """The parts of an opening request that decide about it.

    `target` is path and query; `subprotocols` are those the client offers;
    `authorization`, `origin` and `host` are headers, empty when missing.
    """

    target: str
    subprotocols: Sequence[str] = ()
    authorization: str = ""
    origin: str = ""
    host: str = ""

    @property
    def path(self) -> str:
        """The path without its query."""
        return self.target.partition("?")[0]

    def check(self) -> None:
        """Refuse what is no opening of a websocket.

        Raises:
            NotFound: RESOURCE_NOT_FOUND: there is no websocket at this path.
            InvalidArgument: FIELD_INVALID: the URL has a query; STREAM_PROTOCOL:
                the client offers sub-protocols, but not ours.
        """
        if self.path not in WEBSOCKET_PATHS:
            raise NotFound(self.path)
        if "?" in self.target:
            raise InvalidArgument.for_field(
                "query",
                "must be empty; send the token as the sub-protocol bearer.<token> or in the "
                "first message, because URLs end up in logs",
            )
        if self.subprotocols and SUBPROTOCOL not in self.subprotocols:
            raise InvalidArgument(
                f"none of the sub-protocols offered is {SUBPROTOCOL}",
                reason="STREAM_PROTOCOL",
                metadata={"expected": SUBPROTOCOL, "actual": self._other_subprotocols()},
            )

    def token(self) -> str | None:
        """Return the token in the sub-protocols or the authorization header, if any."""
        for offered in self.subprotocols:
            if offered.startswith(_TOKEN_PREFIX):
                return offered.removeprefix(_TOKEN_PREFIX)
        scheme, _, token = self.authorization.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    def comes_from(self, allowed_origins: Sequence[str]) -> bool:
        """Return whether the page that opens the websocket may do so.

        Programs send no origin; a page may come from where it connects to, or
        from an origin on the list.
        """
        if not self.origin:
            return True
        return self.origin in allowed_origins or self._is_same_origin()

    def _is_same_origin(self) -> bool:
        parts = urlsplit(self.origin)
        return parts.scheme in ("http", "https") and parts.netloc.lower() == self.host.lower()

    def _other_subprotocols(self) -> str:
        shown = (name for name in self.subprotocols if not name.startswith(_TOKEN_PREFIX))
        return ", ".join(shown) or "a token only"
