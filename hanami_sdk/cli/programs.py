"""`hanami client`: programs that act in a project with a role of their own (OAuth 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.messages import as_json
from hanami_sdk.cli.moments import moment_ahead, moment_text
from hanami_sdk.cli.output import print_json, print_message, print_messages
from hanami_sdk.cli.roles import WIRE_ROLES, Role, role_text
from hanami_sdk.cli.secrets import new_secret_file, print_secret
from hanami_sdk.names import last_part

if TYPE_CHECKING:
    from hanami.misaki.v1.client_service_pb2 import Client

app = typer.Typer(
    no_args_is_help=True, help="Programs that act in a project with a role of their own (OAuth 2)."
)

ClientArgument = Annotated[str, typer.Argument(metavar="CLIENT", help="Id of the client.")]


@app.command()
def create(
    client: Annotated[
        str,
        typer.Argument(metavar="CLIENT", help="Id: lower-case letters, digits and dashes."),
    ],
    role: Annotated[Role, typer.Option(help="What the program may do.")] = Role.MEMBER,
    display_name: Annotated[str, typer.Option(help="The name that people read.")] = "",
    expires: options.Expires = None,
    secret_to: options.SecretTo = None,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Make a client for a program (the project's administrators). Its secret is shown once.

    Examples:
        hanami client create nightly --role member --expires 90d

        hanami client create report --role viewer --secret-to report.secret
    """
    new_secret_file(secret_to)
    end = moment_ahead(expires)
    with open_client(url, project) as mesh:
        made = mesh.clients.create(
            client, WIRE_ROLES[role], display_name=display_name, expire_time=end
        )
    print_secret(
        {"client": as_json(made.client)},
        made.secret,
        as_data=json,
        rows=_fields(made.client),
        file=secret_to,
        usage=f"hanami login --client {made.client.name}, HANAMI_CLIENT_ID and "
        "HANAMI_CLIENT_SECRET in the environment, or Client(client_id=..., client_secret=...)",
    )


@app.command("list")
def list_clients(
    project: options.Project = "", url: options.Url = None, json: options.Json = False
) -> None:
    """List the clients of a project, without their secrets.

    Example:
        hanami client list --project demo
    """
    with open_client(url, project) as mesh:
        clients = list(mesh.clients.list())
    rows = [
        (
            last_part(c.name),
            c.display_name,
            role_text(c.role),
            moment_text(c.expire_time) if c.HasField("expire_time") else "never",
            moment_text(c.last_use_time) if c.HasField("last_use_time") else "never",
        )
        for c in clients
    ]
    print_messages(
        clients,
        as_data=json,
        columns=("CLIENT", "NAME", "ROLE", "ENDS", "LAST USED"),
        rows=rows,
        nothing="No clients. Make one: hanami client create CLIENT",
    )


@app.command()
def get(
    client: ClientArgument,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Show one client, without its secret.

    Example:
        hanami client get nightly
    """
    with open_client(url, project) as mesh:
        found = mesh.clients.get(client)
    print_message(found, as_data=json, rows=_fields(found))


@app.command()
def delete(
    client: ClientArgument,
    yes: options.Yes = False,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Delete a client: the program is shut out at once.

    Example:
        hanami client delete nightly --yes
    """
    if not yes:
        typer.confirm(f"Delete the client {client}?", abort=True, err=True)
    with open_client(url, project) as mesh:
        mesh.clients.delete(client)
    if json:
        print_json({"deleted": client})
    else:
        print(f"Deleted {client}.")


def _fields(client: Client) -> list[tuple[str, str]]:
    has_end, was_used = client.HasField("expire_time"), client.HasField("last_use_time")
    return [
        ("Client", client.name),
        ("Name", client.display_name),
        ("Role", role_text(client.role)),
        ("Creator", client.creator),
        ("Created", moment_text(client.create_time)),
        ("Ends", moment_text(client.expire_time) if has_end else "never"),
        ("Last used", moment_text(client.last_use_time) if was_used else ""),
    ]
