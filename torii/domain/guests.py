"""Who has a websocket open, and how many each may have."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mesh.errors import ResourceExhausted


@dataclass(eq=False)
class Guest:
    """One websocket; the name is empty until a token has told whose it is."""

    name: str = ""


class Guests:
    """Counts websockets, those of strangers apart.

    Args:
        most: How many there may be in all.
        most_strangers: How many of them may be of nobody known.
        most_each: How many may have the same name.
    """

    def __init__(self, *, most: int, most_strangers: int, most_each: int) -> None:
        self._most = most
        self._most_strangers = most_strangers
        self._most_each = most_each
        self._present: set[Guest] = set()

    def has_room(self, guest: Guest) -> bool:
        """Return whether one more may come in."""
        if len(self._present) >= self._most:
            return False
        return bool(guest.name) or self._count("") < self._most_strangers

    @contextmanager
    def present(self, guest: Guest) -> Iterator[None]:
        """Count a guest for as long as this lasts."""
        self._present.add(guest)
        try:
            yield
        finally:
            self._present.discard(guest)

    def check_share(self, guest: Guest) -> None:
        """Refuse a guest of whose name too many are present, this one included.

        Raises:
            ResourceExhausted: LIMIT_REACHED.
        """
        count = self._count(guest.name)
        if count > self._most_each:
            raise ResourceExhausted(
                f"{guest.name} has {self._most_each} websockets open, which is the most that "
                "one may have; close one first",
                reason="LIMIT_REACHED",
                metadata={"limit": str(self._most_each), "actual": str(count)},
            )

    def _count(self, name: str) -> int:
        return sum(guest.name == name for guest in self._present)
