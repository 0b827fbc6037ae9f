"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="HANAMI_URL",
        help="Where the mesh listens; the local one when left out.",
        show_default=False,
    ),
]
Project = Annotated[
    str,
    typer.Option(
        "--project",
        "-p",
        envvar="HANAMI_PROJECT",
        help="The project that short names belong to.",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether it is meant.")]
PasswordFile = Annotated[
    str | None,
    typer.Option(
        "--password-file",
        help="Read the password from the first line of this file; - is stdin.",
        show_default=False,
    ),
]
GatewayPort = Annotated[
    int | None,
    typer.Option(
        "--port",
        help="Port of the gateway; 1337 when left out.",
        min=1,
        max=65535,
        show_default=False,
    ),
]
