"""What ids, names and passwords have to look like."""

import re
from collections.abc import Callable, Sequence

from mesh.errors import InvalidArgument

MIN_PASSWORD_LENGTH = 8
MAX_PASSWORD_LENGTH = 1024
MAX_DISPLAY_NAME_LENGTH = 128
# Every token carries all roles of its user, and every call a token: with longest ids these
# are 28 KiB, of the 64 KiB that servers take as metadata.
MAX_MEMBERSHIPS = 256
# `me` is too short to be an id: `users/me` always is the caller.
_USER_ID = re.compile(r"[a-z][a-z0-9_.@-]{2,62}")
_PROJECT_ID = re.compile(r"[a-z][a-z0-9-]{0,61}[a-z0-9]")


def is_user_id(text: str) -> bool:
    """Tell whether a text can be the id of a user."""
    return _USER_ID.fullmatch(text) is not None


def check_user_id(user_id: str, *, field: str = "user_id") -> str:
    """Return the id of a user when it is one.

    Raises:
        InvalidArgument: FIELD_INVALID.
    """
    if not is_user_id(user_id):
        raise InvalidArgument.for_field(
            field,
            "has to be 3 to 63 lower-case letters, digits, dots, dashes, underscores or @, "
            "beginning with a letter",
        )
    return user_id


def check_project_id(project_id: str, *, field: str = "project_id") -> str:
    """Return the id of a project when it is one.

    Raises:
        InvalidArgument: FIELD_INVALID.
    """
    if _PROJECT_ID.fullmatch(project_id) is None:
        raise InvalidArgument.for_field(
            field,
            "has to be 2 to 63 lower-case letters, digits or dashes, beginning with a letter "
            "and not ending with a dash",
        )
    return project_id


def check_credential_id(credential_id: str, *, field: str) -> str:
    """Return the id of an API key or a client when it is one.

    Raises:
        InvalidArgument: FIELD_INVALID.
    """
    return check_project_id(credential_id, field=field)


def check_display_name(display_name: str, *, default: str, field: str = "display_name") -> str:
    """Return the name people read, without blanks around it; the default when empty.

    Raises:
        InvalidArgument: FIELD_INVALID.
    """
    stripped = display_name.strip()
    if len(stripped) > MAX_DISPLAY_NAME_LENGTH:
        raise InvalidArgument.for_field(
            field, f"has {len(stripped)} characters; {MAX_DISPLAY_NAME_LENGTH} are allowed"
        )
    if not stripped.isprintable():
        raise InvalidArgument.for_field(field, "holds characters that cannot be printed")
    return stripped or default


def check_password(
    password: str,
    *,
    known: Sequence[str],
    weakness: Callable[[str, Sequence[str]], str],
    field: str = "password",
) -> None:
    """Refuse a new password that is too short, too long to hash, or easy to guess.

    Args:
        password: The password.
        known: What anybody would try first.
        weakness: Says what makes a password easy to guess; nothing when it is not.
        field: What to call the password in an error.

    Raises:
        InvalidArgument: FIELD_INVALID; the message does not repeat the password.
    """
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise InvalidArgument.for_field(
            field,
            f"has {len(password)} characters; "
            f"{MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} are allowed",
        )
    if problem := weakness(password, known):
        raise InvalidArgument.for_field(field, problem)
