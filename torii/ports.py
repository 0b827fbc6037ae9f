"""What torii's domain needs from outside."""

from typing import Protocol


class HealthProbe(Protocol):
    """Asks one service how it is."""

    async def is_serving(self) -> bool:
        """Return whether the service says that it serves.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE: it does not answer in time.
        """
