"""Time and ids."""

from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], datetime]

# Makes an id of 32 hexadecimal digits that never comes twice.
NewId = Callable[[], str]
