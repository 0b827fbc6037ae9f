"""`hanami user`: people who may log in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.output import note, print_json, print_message, print_messages
from hanami_sdk.cli.secrets import NEW_PASSWORD, OLD_PASSWORD

if TYPE_CHECKING:
    from hanami.misaki.v1.user_service_pb2 import User

app = typer.Typer(no_args_is_help=True, help="People who may log in.")

UserArgument = Annotated[str, typer.Argument(help="Id of the user.")]


@app.command()
def create(
    user: Annotated[str, typer.Argument(help="Id: lower-case letters, digits, and _ . @ -")],
    display_name: Annotated[str, typer.Option(help="The name that people read.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="May do everything, everywhere.")] = False,
    password_file: options.NewPasswordFile = None,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Create a user (administrators only).

    The password is asked for, or comes from --password-file or HANAMI_NEW_PASSWORD.

    Example:
        hanami user create alice --display-name "Alice Liddell"
    """
    with open_client(url) as client:
        password = NEW_PASSWORD.read(password_file, prompt=f"Password of {user}", confirm=True)
        made = client.users.create(user, password=password, display_name=display_name, admin=admin)
    print_message(made, as_data=json, rows=_fields(made))


@app.command("list")
def list_users(url: options.Url = None, json: options.Json = False) -> None:
    """List all users (administrators only).

    Example:
        hanami user list
    """
    with open_client(url) as client:
        users = list(client.users.list())
    rows = [(u.name, u.display_name, _role(u), _state(u)) for u in users]
    print_messages(
        users,
        as_data=json,
        columns=("USER", "NAME", "ROLE", "STATE"),
        rows=rows,
        nothing="No users.",
    )


@app.command()
def get(
    user: Annotated[str, typer.Argument(help="Id of the user; yourself when left out.")] = "me",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Show one user: yourself, or anybody to administrators.

    Examples:
        hanami user get

        hanami user get alice
    """
    with open_client(url) as client:
        found = client.users.get(user)
    print_message(found, as_data=json, rows=_fields(found))


@app.command()
def update(
    user: Annotated[str, typer.Argument(help="Id of the user; yourself when left out.")] = "me",
    display_name: Annotated[
        str | None, typer.Option(help="The name that people read.", show_default=False)
    ] = None,
    admin: Annotated[
        bool | None,
        typer.Option(
            "--admin/--no-admin",
            help="May do everything, everywhere; or not any more.",
            show_default=False,
        ),
    ] = None,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Change the name that people read, or who is an administrator.

    Everybody may change their own name; the rest is for administrators. One of them stays.

    Examples:
        hanami user update --display-name "Alice Hargreaves"

        hanami user update bob --admin
    """
    if display_name is None and admin is None:
        raise CommandFailure(
            "There is nothing to change.",
            hint="Use --display-name, --admin or --no-admin.",
            exit_code=EXIT_USAGE,
        )
    with open_client(url) as client:
        changed = client.users.update(user, display_name=display_name, admin=admin)
    print_message(changed, as_data=json, rows=_fields(changed))


@app.command()
def disable(user: UserArgument, url: options.Url = None, json: options.Json = False) -> None:
    """Log a user out everywhere and let the user in no more (administrators only).

    Memberships and everything the user made stay.

    Example:
        hanami user disable alice
    """
    with open_client(url) as client:
        changed = client.users.disable(user)
    print_message(changed, as_data=json, rows=_fields(changed))


@app.command()
def enable(user: UserArgument, url: options.Url = None, json: options.Json = False) -> None:
    """Let a disabled user in again (administrators only).

    Example:
        hanami user enable alice
    """
    with open_client(url) as client:
        changed = client.users.enable(user)
    print_message(changed, as_data=json, rows=_fields(changed))


@app.command("change-password")
def change_password(
    old_password_file: Annotated[
        str | None,
        typer.Option(
            help="Read the old password from the first line of this file; - is stdin.",
            show_default=False,
        ),
    ] = None,
    password_file: options.NewPasswordFile = None,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Change your own password. You are logged out everywhere else.

    Both passwords are asked for, or come from --old-password-file or HANAMI_PASSWORD, and
    from --password-file or HANAMI_NEW_PASSWORD; two lines of stdin may be both (- and -).

    Examples:
        hanami user change-password

        hanami user change-password --old-password-file old.txt --password-file new.txt
    """
    with open_client(url) as client:
        user = client.users.get().name
        old = OLD_PASSWORD.read(old_password_file, prompt=f"Password of {user} so far")
        new = NEW_PASSWORD.read(password_file, prompt="New password", confirm=True)
        client.users.change_password(old, new)
        # The change has ended this login too; the new one is kept in its place.
        client.login(user, new)
    if json:
        print_json({"changed": user})
    else:
        print(f"{user} has a new password, and is logged in with it here only.")


@app.command("reset-password")
def reset_password(
    user: UserArgument,
    password_file: options.NewPasswordFile = None,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Give another user a new password (administrators only). It ends all logins of the user.

    The password is asked for, or comes from --password-file or HANAMI_NEW_PASSWORD.

    Example:
        hanami user reset-password alice
    """
    with open_client(url) as client:
        password = NEW_PASSWORD.read(password_file, prompt=f"Password of {user}", confirm=True)
        client.users.reset_password(user, password)
    if json:
        print_json({"changed": user})
    else:
        print(f"{user} has a new password.")
        note("It is known to two people now: let it be changed (hanami user change-password).")


@app.command()
def delete(
    user: UserArgument,
    yes: options.Yes = False,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Delete a user (administrators only). What the user made stays with its project.

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
        ("Role", _role(user)),
        ("State", _state(user)),
        ("Created", user.create_time.ToJsonString()),
    ]


def _role(user: User) -> str:
    return "admin" if user.admin else ""


def _state(user: User) -> str:
    return "disabled" if user.disabled else ""
