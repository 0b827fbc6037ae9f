"""How long to try again while something needed is away."""

import asyncio
import time
from typing import Final

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 3.0


class Patience:
    """Pauses grow from try to try; patience ends after some seconds without a success."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._pause = _FIRST_PAUSE_SECONDS
        self._lost_at: float | None = None

    def restore(self) -> None:
        """Begin anew: it is back."""
        self._pause = _FIRST_PAUSE_SECONDS
        self._lost_at = None

    async def pause(self, error: Exception) -> None:
        """Wait before the next try.

        Raises:
            Exception: The error given, when patience has ended.
        """
        now = time.monotonic()
        if self._lost_at is None:
            self._lost_at = now
        if now - self._lost_at + self._pause > self._seconds:
            raise error
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
