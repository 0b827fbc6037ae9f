"""What networks in memory, and those that are about to be there, may take together."""

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager

from mesh.errors import ResourceExhausted


class Room:
    """Counts bytes and networks against their limits; it holds none of them."""

    def __init__(self, most_networks: int, most_bytes: int) -> None:
        self._most_networks = most_networks
        self._most_bytes = most_bytes
        self._reserved: dict[Hashable, int] = {}

    def is_reserved(self, key: Hashable) -> bool:
        """Tell whether room is set aside under a key."""
        return key in self._reserved

    def fits(self, key: Hashable, size: int, present: Mapping[str, int]) -> bool:
        """Tell whether so many bytes fit in beside what is there and what was set aside.

        Args:
            key: of what is to come; it takes the place of what is present under the same one.
            size: bytes that it may grow to.
            present: bytes of each network in memory, by uid.
        """
        taken: dict[Hashable, int] = {**self._reserved, key: size}
        taken = {uid: size for uid, size in present.items() if uid not in taken} | taken
        return len(taken) <= self._most_networks and sum(taken.values()) <= self._most_bytes

    @contextmanager
    def reserved(self, key: Hashable, size: int) -> Iterator[None]:
        """Set bytes aside for what is about to be in memory."""
        self._reserved[key] = size
        try:
            yield
        finally:
            del self._reserved[key]

    def refusal(self) -> ResourceExhausted:
        """Return the error of whoever does not get in."""
        networks, size = self._most_networks, self._most_bytes
        return ResourceExhausted(
            f"the networks at work leave no room: {networks} and {size} bytes (as much as each may "
            "grow to, and as much again for each task that predicts with a copy of one) are the "
            "most; end a stream or task first",
            reason="LIMIT_REACHED",
            metadata={"limit": str(networks), "limit_bytes": str(size)},
        )
