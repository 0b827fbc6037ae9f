"""Opens the client that a command works with: which mesh, and as whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanami_sdk.cli.failures import CommandFailure
from hanami_sdk.surroundings import DEFAULT_URL, kept_logins, local_state, named_credentials

if TYPE_CHECKING:
    from hanami_sdk.client import Client
    from hanami_sdk.local.state import MeshState
    from hanami_sdk.sessions import Tokens


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
    if named_credentials().is_empty and kept_logins().load(target) is None:
        if state is None and target == DEFAULT_URL:
            raise CommandFailure(
                "No mesh runs here, and nobody is logged in.",
                hint="Start one: hanami up; then log in: hanami login",
            )
        raise CommandFailure(f"Nobody is logged in at {target}.", hint=_login_hint(target, state))
    return Client(target, project=project)


def open_anonymously(
    url: str | None, *, tokens: Tokens | None = None, timeout: float = 60.0
) -> Client:
    """Open a client that nobody has to be logged in for."""
    from hanami_sdk.client import Client

    return Client(resolve_url(url, local_state()), tokens=tokens, timeout=timeout)


def _login_hint(target: str, state: MeshState | None) -> str:
    if state is not None and state.gateway_url.rstrip("/") == target.rstrip("/"):
        return "Log in as the administrator of this local mesh: hanami login"
    return f"Log in: hanami login USER --url {target}"
