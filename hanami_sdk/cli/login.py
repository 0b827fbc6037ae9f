"""`hanami login` and `hanami logout`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_anonymously, resolve_url
from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.output import note, print_json
from hanami_sdk.cli.secrets import API_KEY, CLIENT_SECRET, PASSWORD
from hanami_sdk.surroundings import kept_logins, local_state

# Where a browser elsewhere ends: it finds nobody there, and shows the address.
_NOBODY_LISTENS = "http://127.0.0.1:47811/login"

if TYPE_CHECKING:
    from hanami_sdk.client import Client
    from hanami_sdk.local.state import MeshState
    from hanami_sdk.sessions import Tokens


def login(
    user: Annotated[
        str | None, typer.Argument(help="Who logs in; the local administrator when left out.")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            help="Log in with an account of this provider, in the browser.", show_default=False
        ),
    ] = None,
    no_browser: Annotated[
        bool,
        typer.Option(
            "--no-browser", help="Log in with a browser on another machine: it asks for an address."
        ),
    ] = False,
    api_key: Annotated[
        bool, typer.Option("--api-key", help="Log in as a device, with the secret of its API key.")
    ] = False,
    client: Annotated[
        str | None,
        typer.Option(
            help="Log in as a program: projects/PROJECT/clients/CLIENT.", show_default=False
        ),
    ] = None,
    only: Annotated[
        str, typer.Option("--only", help="The only project to work in; all of yours if not.")
    ] = "",
    password_file: options.PasswordFile = None,
    secret_file: options.SecretFile = None,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Log in and keep the login for the commands that follow.

    The password is asked for, or comes from --password-file or HANAMI_PASSWORD; secrets of
    devices and programs from --secret-file, HANAMI_API_KEY or HANAMI_CLIENT_SECRET.
    Without a USER, on a mesh that `hanami up` started here, the administrator
    logs in with the generated password file.

    Examples:
        hanami login

        hanami login alice

        hanami login alice --url https://mesh.example.org --password-file ~/.secret

        hanami login --provider company

        hanami login --api-key --secret-file pump-7.key
    """
    _check(user, provider, api_key=api_key, client=client, only=only)
    state = local_state()
    target = resolve_url(url, state)
    with open_anonymously(url) as mesh:
        if provider is not None:
            with_provider = _with_browser_elsewhere if no_browser else _with_browser_here
            tokens = with_provider(mesh, provider, only)
        elif api_key or client is not None:
            tokens = _with_secret(mesh, client, secret_file)
        else:
            if user is None:
                user, password_file = _local_administrator(target, state, password_file)
                note(f"Logging in as {user}, the administrator of this mesh ({password_file}).")
            password = PASSWORD.read(password_file, prompt=f"Password of {user}")
            tokens = mesh.login(user, password, project=only)
    kept_logins().save(target, tokens)
    if json:
        print_json({"url": target, "user": tokens.user})
    else:
        print(f"{tokens.user} is logged in at {target}.")


def logout(url: options.Url = None, json: options.Json = False) -> None:
    """End the login that is kept for a mesh: its tokens are refused at once.

    When the mesh cannot be asked, the login is forgotten here all the same.

    Example:
        hanami logout
    """
    target = resolve_url(url, local_state())
    kept = kept_logins().load(target)
    ended = kept is not None and _ended(url, kept)
    had_any = kept_logins().remove(target)
    if json:
        print_json({"url": target, "removed": had_any, "ended": ended})
    else:
        print(f"Logged out of {target}." if had_any else f"Nobody was logged in at {target}.")


def _check(
    user: str | None, provider: str | None, *, api_key: bool, client: str | None, only: str
) -> None:
    ways = [user is not None, provider is not None, api_key, client is not None]
    if sum(ways) > 1:
        raise CommandFailure(
            "Log in in one way: as USER, with --provider, --api-key or --client.",
            exit_code=EXIT_USAGE,
        )
    if only and (api_key or client is not None):
        raise CommandFailure(
            "Devices and programs work in their own project only.",
            hint="Leave --only out.",
            exit_code=EXIT_USAGE,
        )


def _with_secret(mesh: Client, client: str | None, secret_file: str | None) -> Tokens:
    from hanami_sdk.cli.wording import sentence
    from hanami_sdk.errors import Unauthenticated

    try:
        if client is None:
            return mesh.login_with_api_key(API_KEY.read(secret_file, prompt="Secret of the key"))
        secret = CLIENT_SECRET.read(secret_file, prompt=f"Secret of {client}")
        return mesh.login_with_client(client, secret)
    except Unauthenticated as error:
        hint = "Check the secret; it may have ended, or have been deleted."
        raise CommandFailure(sentence(error), hint=hint) from error


def _with_browser_here(mesh: Client, provider: str, only: str) -> Tokens:
    import webbrowser

    def show(address: str) -> None:
        note(f"Open this in a browser on this machine:\n\n    {address}\n")
        if webbrowser.open(address):
            note("It opens by itself where that is possible. Waiting for you to come back ...")

    return mesh.login_with_provider(provider, project=only, open_url=show)


def _with_browser_elsewhere(mesh: Client, provider: str, only: str) -> Tokens:
    from urllib.parse import parse_qs, urlsplit

    started = mesh.providers.start(provider, _NOBODY_LISTENS)
    note(f"Open this in a browser on any machine:\n\n    {started.authorization_url}\n")
    note("It ends at an address that begins like this, and shows no page there:")
    note(f"\n    {_NOBODY_LISTENS}?...\n")
    address = str(typer.prompt("The whole address", err=True)).strip()
    brought = parse_qs(urlsplit(address).query)
    if "state" not in brought or "code" not in brought:
        why = brought.get("error_description", brought.get("error", ["it has no code"]))[0]
        raise CommandFailure(f"Nobody can be logged in with this address: {why}.")
    return mesh.providers.finish(
        state=brought["state"][0], code=brought["code"][0], handle=started.handle, project=only
    )


def _ended(url: str | None, kept: Tokens) -> bool:
    """End a login at the mesh; returns whether it could be asked."""
    from hanami_sdk.errors import HanamiError, Unauthenticated

    try:
        with open_anonymously(url, tokens=kept, timeout=10.0) as mesh:
            mesh.logout()
    except Unauthenticated:
        return True  # It had ended before.
    except HanamiError as error:
        note(f"The mesh was not told, and knows the login until it ends: {error}")
        return False
    return True


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
