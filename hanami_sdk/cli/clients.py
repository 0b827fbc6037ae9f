"""Opens the client that a command works with: which mesh, and as whom."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.logins import LoginFile

if TYPE_CHECKING:
    from hanami_sdk.client import Client
    from hanami_sdk.local.state import MeshState
    from hanami_sdk.sessions import Tokens

DEFAULT_URL = "http://127.0.0.1:1337"


def local_state() -> MeshState | None:
    """Return the local mesh of this home, if one was started and runs."""
    from hanami_sdk.local import mesh
    from hanami_sdk.local.home import MeshHome

    return mesh.running_state(MeshHome.default())


def logins() -> LoginFile:
    """Return the file of this home that keeps logins."""
    from hanami_sdk.local.home import MeshHome

    return LoginFile(MeshHome.default().credentials_file)


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
    state = local_state()
    target = resolve_url(url, state)
    store = logins()
    user, password = os.environ.get("HANAMI_USER"), os.environ.get("HANAMI_PASSWORD")
    if user and password:
        return make_client(target, project, state, user=user, password=password)
    tokens = store.load(target)
    if tokens is None:
        raise CommandFailure(f"Nobody is logged in at {target}.", hint=_login_hint(target, state))
    return make_client(
        target, project, state, tokens=tokens, on_tokens=lambda fresh: store.save(target, fresh)
    )


def make_client(
    url: str,
    project: str,
    state: MeshState | None,
    *,
    user: str | None = None,
    password: str | None = None,
    tokens: Tokens | None = None,
    on_tokens: Callable[[Tokens], None] | None = None,
) -> Client:
    """Return a client of a mesh; the local authority is trusted for the local mesh only."""
    from hanami_sdk.client import Client

    is_local = state is not None and state.gateway_url.rstrip("/") == url.rstrip("/")
    ca_file = os.environ.get("HANAMI_CA_FILE") or (
        state.ca_certificate if state is not None and is_local else None
    )
    return Client(
        url,
        project=project,
        user=user,
        password=password,
        tokens=tokens,
        on_tokens=on_tokens,
        ca_file=ca_file,
    )


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
    if state is None and target == DEFAULT_URL:
        return "No local mesh runs. Start one: hanami up; then log in: hanami login"
    return f"Log in: hanami login USER --url {target}"
