"""What sessions are known by: resume tokens, of which a digest is kept, and the ids of tasks."""

import hashlib
import secrets
from typing import Final

KEY_BYTES: Final = 16
_TOKEN_BYTES: Final = 24
_TASKS: Final = "tasks/"


def new_token() -> str:
    """Return a resume token that nobody can guess."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def key_of(token: str) -> bytes:
    """Return what is kept of a token; the token itself is known to the client alone."""
    return hashlib.blake2b(token.encode(), digest_size=KEY_BYTES).digest()


def key_of_task(network_uid: str, task_id: str, number: int) -> bytes:
    """Return the key of a task's session, which no token has.

    Ids come back when a task was deleted, numbers when a database was put back to an older state.
    """
    name = f"{network_uid}/{task_id}/{number}".encode()
    return hashlib.blake2b(name, digest_size=KEY_BYTES, person=b"task").digest()


def user_of_task(task_id: str) -> str:
    """Return the user of a task's session, who is nobody."""
    return f"{_TASKS}{task_id}"


def is_of_task(user: str) -> bool:
    """Tell whether the user of a session is such a nobody."""
    return user.startswith(_TASKS)
