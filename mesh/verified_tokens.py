"""Remembers tokens whose signatures have been verified; the newest and most used of them.

Not whether a token has been taken back: that can change any moment, and is looked up
with every use.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from mesh.access import Principal

# With as many roles as misaki gives, 30 KiB each: 120 MiB at the very most.
_MOST = 4096


class VerifiedTokens:
    """Who verified tokens speak for, until they end.

    Tokens are known by their digests: what lies in memory lets nobody in.
    """

    def __init__(self, *, now: Callable[[], float], most: int = _MOST) -> None:
        """Take the bounds.

        Args:
            now: Seconds since 1970.
            most: How many are remembered.
        """
        self._now = now
        self._most = most
        self._principals: OrderedDict[bytes, Principal] = OrderedDict()

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._principals)

    def find(self, token: str) -> Principal | None:
        """Return who a token speaks for, None if it is not known or has ended."""
        digest = _digest(token)
        principal = self._principals.get(digest)
        if principal is None:
            return None
        if self._now() >= principal.expires_at:
            # The leeway for clocks that differ is up to who verifies it once more.
            del self._principals[digest]
            return None
        self._principals.move_to_end(digest)
        return principal

    def add(self, token: str, principal: Principal) -> None:
        """Remember a token, instead of the one unused for longest if there are too many."""
        self._principals[_digest(token)] = principal
        if len(self._principals) > self._most:
            self._principals.popitem(last=False)

    def clear(self) -> None:
        """Forget all, because the keys have changed."""
        self._principals.clear()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
