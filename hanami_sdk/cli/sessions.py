"""`hanami session`: where somebody is logged in."""

from __future__ import annotations

from typing import Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.moments import moment_text
from hanami_sdk.cli.output import print_json, print_messages
from hanami_sdk.names import last_part

app = typer.Typer(no_args_is_help=True, help="Where you are logged in.")

OfUser = Annotated[str, typer.Option("--user", help="Another user's logins (administrators only).")]


@app.command("list")
def list_sessions(user: OfUser = "me", url: options.Url = None, json: options.Json = False) -> None:
    """List logins: since when, from where, by which program.

    Examples:
        hanami session list

        hanami session list --user alice
    """
    with open_client(url) as client:
        sessions = list(client.sessions.list(user))
    rows = [
        (
            last_part(s.name),
            moment_text(s.create_time),
            moment_text(s.renew_time),
            s.origin,
            s.client.partition(" ")[0],
            last_part(s.project),
            "this one" if s.current else "",
        )
        for s in sessions
    ]
    print_messages(
        sessions,
        as_data=json,
        columns=("SESSION", "SINCE", "RENEWED", "FROM", "PROGRAM", "ONLY PROJECT", ""),
        rows=rows,
        nothing="No logins.",
    )


@app.command()
def revoke(
    session: Annotated[
        str | None, typer.Argument(help="Id of the login.", show_default=False)
    ] = None,
    others: Annotated[bool, typer.Option("--others", help="End all logins but this one.")] = False,
    user: OfUser = "me",
    yes: options.Yes = False,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """End a login: its tokens are refused at once.

    Examples:
        hanami session revoke 5f0c0b6d7b1f4a0c9a55d7a0f1c2e3d4

        hanami session revoke --others
    """
    if (session is None) != others:
        raise CommandFailure(
            "Say which login ends.", hint="Use SESSION or --others.", exit_code=EXIT_USAGE
        )
    with open_client(url) as client:
        if session is not None:
            ended = [session]
        else:
            ended = [s.name for s in client.sessions.list(user) if not s.current]
            if ended and not yes:
                typer.confirm(f"End {len(ended)} logins?", abort=True, err=True)
        for name in ended:
            client.sessions.revoke(name, user=user)
    if json:
        print_json({"ended": [last_part(name) for name in ended]})
    else:
        print(f"Ended {len(ended)} login{'' if len(ended) == 1 else 's'}.")


@app.command()
def switch(
    project: Annotated[
        str | None, typer.Argument(help="Id of the project.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Work in all your projects again.")] = False,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Let your login speak of one project only, or of all again.

    An administrator who works in one project is a project administrator there, and no
    administrator anywhere. Short names still belong to --project or HANAMI_PROJECT.

    Examples:
        hanami session switch demo

        hanami session switch --all
    """
    if (project is None) != every:
        raise CommandFailure(
            "Say which project.", hint="Use PROJECT or --all.", exit_code=EXIT_USAGE
        )
    with open_client(url) as client:
        tokens = client.switch_project(project or "")
    if json:
        print_json({"user": tokens.user, "project": project or ""})
    elif project is None:
        print(f"{tokens.user} works in all projects again.")
    else:
        print(f"{tokens.user} works in {project} only.")
