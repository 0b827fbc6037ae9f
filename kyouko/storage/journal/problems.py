"""What is wrong with a journal, in words, and the error that says so."""

import errno
import os
from typing import Final

from mesh.errors import Unavailable

# What a disk says when bytes are lost; other errors may pass.
LOST_BYTES: Final = frozenset({errno.EIO, errno.EBADMSG, errno.EUCLEAN})


def problem_of(error: BaseException) -> str:
    """Return what an error of the system means, as people say it."""
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__


def journal_unavailable(problem: str) -> Unavailable:
    """Return the error of a journal that cannot be used now."""
    return Unavailable(
        f"the journal cannot be used: {problem}; try again later",
        reason="JOURNAL_UNAVAILABLE",
        metadata={"problem": problem},
    )
