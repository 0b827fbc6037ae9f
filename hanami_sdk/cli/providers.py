"""`hanami provider`: whose accounts one may log in with."""

from __future__ import annotations

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_anonymously
from hanami_sdk.cli.output import print_messages
from hanami_sdk.names import last_part

app = typer.Typer(no_args_is_help=True, help="Whose accounts one may log in with.")


@app.command("list")
def list_providers(url: options.Url = None, json: options.Json = False) -> None:
    """List the login providers of the mesh; nobody has to be logged in for it.

    Example:
        hanami provider list
    """
    with open_anonymously(url) as client:
        providers = list(client.providers.list())
    rows = [(last_part(p.name), p.display_name, p.issuer) for p in providers]
    print_messages(
        providers,
        as_data=json,
        columns=("PROVIDER", "NAME", "ISSUER"),
        rows=rows,
        nothing="No providers: people log in with a password (hanami login USER).",
    )
