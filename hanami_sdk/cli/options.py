"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

from pathlib import Path
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
NewPasswordFile = Annotated[
    str | None,
    typer.Option(
        "--password-file",
        help="Read the new password from the first line of this file; - is stdin.",
        show_default=False,
    ),
]
SecretFile = Annotated[
    str | None,
    typer.Option(
        "--secret-file",
        help="Read the secret from the first line of this file; - is stdin.",
        show_default=False,
    ),
]
SecretTo = Annotated[
    Path | None,
    typer.Option(
        "--secret-to",
        help="Write the secret into this new file, for your eyes only, instead of showing it.",
        show_default=False,
        dir_okay=False,
    ),
]
Expires = Annotated[
    str | None,
    typer.Option(
        "--expires",
        help="When it ends: 12h, 90d, or 2027-05-01; never when left out.",
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
