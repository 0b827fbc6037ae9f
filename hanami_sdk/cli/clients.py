"""Opens the client that a command works with: which mesh, and as whom."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.surroundings import DEFAULT_URL, kept_logins, local_state, named_user

if TYPE_CHECKING:
    from hanami_sdk.client import Client
    from hanami_sdk.local.state import MeshState


def resolve_url(url: str | None, state: MeshState | None) -> str:
    """Return the mesh to talk to: the one named, else the local one."""
    if url:
        return url if "//" in url else f"http://{url}"
    return state.gateway_url if state is not None else DEFAULT_URL


def open_client(url: str | None, project: str = "") -> Client:
    """Open a client with the login kept for the mesh.

    Raises:
        CommandFailure: nobody is logged in; the hint says how to.
    """
    from hanami_sdk.client import Client

    state = local_state()
    target = resolve_url(url, state)
    if named_user() is None and kept_logins().load(target) is None:
        if state is None and target == DEFAULT_URL:
            raise CommandFailure(
                "No mesh runs here, and nobody is logged in.",
                hint="Start one: hanami up; then log in: hanami login",
            )
        raise CommandFailure(f"Nobody is logged in at {target}.", hint=_login_hint(target, state))
    return Client(target, project=project)


def read_password(password_file: str | None, *, prompt: str, confirm: bool = False) -> str:
    """Return a password from a file, HANAMI_PASSWORD or a prompt, in this order.

    Raises:
        CommandFailure: there is none, and nobody to ask.
    """
    import typer

    if password_file == "-":
        return sys.stdin.readline().rstrip("\r\n")
    if password_file:
        lines = Path(password_file).read_text(encoding="utf-8").splitlines()
        return lines[0] if lines else ""
    if from_environment := os.environ.get("HANAMI_PASSWORD"):
        return from_environment
    if not sys.stdin.isatty():
        raise CommandFailure(
            "There is no password, and nobody to ask.",
            hint="Give it by --password-file FILE, or in HANAMI_PASSWORD.",
            exit_code=EXIT_USAGE,
        )
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True))


def _login_hint(target: str, state: MeshState | None) -> str:
    if state is not None and state.gateway_url.rstrip("/") == target.rstrip("/"):
        return "Log in as the administrator of this local mesh: hanami login"
    return f"Log in: hanami login USER --url {target}"
