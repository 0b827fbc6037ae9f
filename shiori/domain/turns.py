"""How much one caller may do at the same time, so that there is something left for others."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from mesh.access import Principal
from mesh.errors import ResourceExhausted


class Turns:
    """Counts what runs for each caller. Services are not counted: they limit themselves."""

    def __init__(self, limit: int, *, what: str) -> None:
        self._limit = limit
        self._what = what
        self._running: Counter[str] = Counter()

    @contextmanager
    def taken(self, principal: Principal) -> Iterator[None]:
        """Count one more while the context is open.

        Raises:
            ResourceExhausted: LIMIT_REACHED: so many run already.
        """
        if principal.is_service:
            yield
            return
        if self._running[principal.name] >= self._limit:
            raise ResourceExhausted(
                f"{principal.name} has {self._limit} {self._what} under way, the most allowed; "
                "wait until one has ended",
                reason="LIMIT_REACHED",
                metadata={"limit": str(self._limit)},
            )
        self._running[principal.name] += 1
        try:
            yield
        finally:
            self._running[principal.name] -= 1
            if not self._running[principal.name]:
                del self._running[principal.name]
