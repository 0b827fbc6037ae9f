"""`hanami login` and `hanami logout`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import read_password, resolve_url
from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.output import note, print_json
from hanami_sdk.surroundings import kept_logins, local_state

if TYPE_CHECKING:
    from hanami_sdk.local.state import MeshState


def login(
    user: Annotated[
        str | None, typer.Argument(help="Who logs in; the local administrator when left out.")
    ] = None,
    password_file: options.PasswordFile = None,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Log in and keep the login for the commands that follow.

    The password is asked for, or comes from --password-file or HANAMI_PASSWORD.
    Without a USER, on a mesh that `hanami up` started here, the administrator
    logs in with the generated password file.

    Examples:
        hanami login

        hanami login alice

        hanami login alice --url https://mesh.example.org --password-file ~/.secret
    """
    from hanami_sdk.client import Client

    state = local_state()
    target = resolve_url(url, state)
    if user is None:
        user, password_file = _local_administrator(target, state, password_file)
        note(f"Logging in as {user}, the administrator of this mesh ({password_file}).")
    password = read_password(password_file, prompt=f"Password of {user}")
    with Client(target) as client:
        tokens = client.login(user, password)
    kept_logins().save(target, tokens)
    if json:
        print_json({"url": target, "user": tokens.user})
    else:
        print(f"{tokens.user} is logged in at {target}.")


def logout(url: options.Url = None, json: options.Json = False) -> None:
    """Forget the login that is kept for a mesh.

    Example:
        hanami logout
    """
    target = resolve_url(url, local_state())
    had_any = kept_logins().remove(target)
    if json:
        print_json({"url": target, "removed": had_any})
    else:
        print(f"Logged out of {target}." if had_any else f"Nobody was logged in at {target}.")


def _local_administrator(
    target: str, state: MeshState | None, password_file: str | None
) -> tuple[str, str | None]:
    if state is None or state.gateway_url.rstrip("/") != target.rstrip("/"):
        raise CommandFailure(
            f"Say who logs in at {target}.",
            hint="hanami login USER; on a local mesh (hanami up) the USER may be left out.",
            exit_code=EXIT_USAGE,
        )
    generated = state.admin_password_file
    if password_file is None and generated is not None and Path(generated).exists():
        password_file = str(generated)
    return state.admin_user_id, password_file
