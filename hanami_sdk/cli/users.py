"""`hanami user`: people who may log in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_client, read_password
from hanami_sdk.cli.output import print_json, print_message, print_messages

if TYPE_CHECKING:
    from hanami.misaki.v1.user_service_pb2 import User

app = typer.Typer(no_args_is_help=True, help="People who may log in (administrators only).")


@app.command()
def create(
    user: Annotated[str, typer.Argument(help="Id: lower-case letters, digits, and _ . @ -")],
    display_name: Annotated[str, typer.Option(help="The name that people read.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="May do everything, everywhere.")] = False,
    password_file: options.PasswordFile = None,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Create a user. The password is asked for, or read from a file.

    Example:
        hanami user create alice --display-name "Alice Liddell"
    """
    with open_client(url) as client:
        password = read_password(password_file, prompt=f"Password of {user}", confirm=True)
        made = client.users.create(user, password=password, display_name=display_name, admin=admin)
    print_message(made, as_data=json, rows=_fields(made))


@app.command("list")
def list_users(url: options.Url = None, json: options.Json = False) -> None:
    """List all users.

    Example:
        hanami user list
    """
    with open_client(url) as client:
        users = list(client.users.list())
    rows = [(u.name, u.display_name, "admin" if u.admin else "") for u in users]
    print_messages(
        users, as_data=json, columns=("USER", "NAME", "ROLE"), rows=rows, nothing="No users."
    )


@app.command()
def get(
    user: Annotated[str, typer.Argument(help="Id of the user.")],
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Show one user.

    Example:
        hanami user get alice
    """
    with open_client(url) as client:
        found = client.users.get(user)
    print_message(found, as_data=json, rows=_fields(found))


@app.command()
def delete(
    user: Annotated[str, typer.Argument(help="Id of the user.")],
    yes: options.Yes = False,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Delete a user.

    Example:
        hanami user delete alice --yes
    """
    if not yes:
        typer.confirm(f"Delete the user {user}?", abort=True, err=True)
    with open_client(url) as client:
        client.users.delete(user)
    if json:
        print_json({"deleted": user})
    else:
        print(f"Deleted {user}.")


def _fields(user: User) -> list[tuple[str, str]]:
    return [
        ("User", user.name),
        ("Name", user.display_name),
        ("Role", "admin" if user.admin else ""),
        ("Created", user.create_time.ToJsonString()),
    ]
