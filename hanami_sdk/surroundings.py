"""Which mesh is meant, and as whom, when that is not said: what this machine knows of it.

The `hanami` command and the client read the same variables, the same local mesh and
the same file of logins.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hanami_sdk.logins import LoginFile

if TYPE_CHECKING:
    from hanami_sdk.credentials import Credentials
    from hanami_sdk.local.state import MeshState

DEFAULT_URL = "http://127.0.0.1:1337"


def local_state() -> MeshState | None:
    """Return the local mesh of this home, if one was started and runs."""
    from hanami_sdk.local import mesh
    from hanami_sdk.local.home import MeshHome

    return mesh.running_state(MeshHome.default())


def kept_logins() -> LoginFile:
    """Return the file of this home that keeps logins."""
    from hanami_sdk.local.home import MeshHome

    return LoginFile(MeshHome.default().credentials_file)


def mesh_url() -> str:
    """Return the mesh that HANAMI_URL names, else the local one, else its usual address."""
    if named := os.environ.get("HANAMI_URL"):
        return named if "//" in named else f"http://{named}"
    state = local_state()
    return state.gateway_url if state is not None else DEFAULT_URL


def authority_of(url: str) -> str | Path | None:
    """Return the authority to trust: HANAMI_CA_FILE, else the local one for the local mesh."""
    if named := os.environ.get("HANAMI_CA_FILE"):
        return named
    state = local_state() if url.startswith("https:") else None
    is_local = state is not None and state.gateway_url.rstrip("/") == url.rstrip("/")
    return state.ca_certificate if state is not None and is_local else None


def named_credentials() -> Credentials:
    """Return whom the environment names: a user, else a device, else a program, else nobody.

    A user needs HANAMI_PASSWORD beside HANAMI_USER, a program HANAMI_CLIENT_SECRET beside
    HANAMI_CLIENT_ID.
    """
    from hanami_sdk.credentials import Credentials

    user, password = os.environ.get("HANAMI_USER"), os.environ.get("HANAMI_PASSWORD")
    if user and password:
        return Credentials(user=user, password=password)
    if api_key := os.environ.get("HANAMI_API_KEY"):
        return Credentials(api_key=api_key)
    client, secret = os.environ.get("HANAMI_CLIENT_ID"), os.environ.get("HANAMI_CLIENT_SECRET")
    if client and secret:
        return Credentials(client_id=client, client_secret=secret)
    return Credentials()
