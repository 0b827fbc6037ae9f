"""Where time, ids and digests come from."""

from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], datetime]
# Makes an id that nobody can guess and that never comes twice.
NewId = Callable[[], str]
# Makes of a text what tells nothing of it to those without the key of the installation.
Digest = Callable[[str], str]
