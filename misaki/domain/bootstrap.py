"""Makes sure that somebody can administer a new installation."""

from dataclasses import dataclass

from mesh.errors import AlreadyExists, DomainError
from misaki.domain.users import Users
from misaki.ports import Directory


@dataclass(frozen=True)
class FirstAdmin:
    """The admin to create when there is none."""

    user_id: str
    display_name: str
    password: str


class BootstrapError(Exception):
    """There is no admin, and none can be created. The message says what to set."""


async def ensure_admin(directory: Directory, users: Users, first: FirstAdmin) -> bool:
    """Create the first admin unless there is one; returns whether it was created.

    Raises:
        BootstrapError: The values are missing or not allowed.
    """
    if await directory.has_admin():
        return False
    missing = _missing(first)
    if missing:
        raise BootstrapError(f"there is no admin yet: set {', '.join(missing)}, and start again")
    try:
        await users.add(
            user_id=first.user_id,
            display_name=first.display_name,
            password=first.password,
            admin=True,
        )
    except AlreadyExists as error:
        if await directory.has_admin():
            return False  # Another instance was faster.
        raise BootstrapError(
            f"users/{first.user_id} exists and is no admin: "
            "set HANAMI_ADMIN_USER_ID to another id, and start again"
        ) from error
    except DomainError as error:
        raise BootstrapError(f"the first admin cannot be created: {_setting_of(error)}") from error
    return True


def _missing(first: FirstAdmin) -> list[str]:
    needed = {
        "HANAMI_ADMIN_USER_ID": first.user_id,
        "HANAMI_ADMIN_USER_NAME": first.display_name,
        "HANAMI_ADMIN_PASSWORD (or HANAMI_ADMIN_PASSWORD_FILE)": first.password,
    }
    return [setting for setting, value in needed.items() if not value.strip()]


def _setting_of(error: DomainError) -> str:
    settings = {
        "user_id": "HANAMI_ADMIN_USER_ID",
        "display_name": "HANAMI_ADMIN_USER_NAME",
        "password": "HANAMI_ADMIN_PASSWORD",
    }
    field = error.metadata.get("field", "")
    return error.message.replace(f"{field}:", settings.get(field, field), 1)
