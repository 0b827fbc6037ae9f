"""`hanami errors`: what went wrong inside the mesh, by the incident ids that callers got."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.audit import Limit, Method, OfProject, Since, Until, User
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.moments import moment_in, moment_text
from hanami_sdk.cli.output import print_message, print_messages

if TYPE_CHECKING:
    from hanami.shiori.v1.error_service_pb2 import ErrorRecord

app = typer.Typer(no_args_is_help=True, help="What went wrong inside the mesh.")


@app.command("list")
def list_errors(
    user: User = "",
    project: OfProject = "",
    service: Annotated[str, typer.Option(help="Only what this service logged.")] = "",
    method: Method = "",
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """List errors, newest first: administrators see all, everybody their own.

    Example:
        hanami errors list --since 1d --service kyouko
    """
    begin, end = moment_in(since), moment_in(until)
    with open_client(url) as client:
        found = client.errors.list(
            user=user,
            project=project,
            service=service,
            method=method,
            start=begin,
            end=end,
        )
        errors = list(islice(found, limit))
    rows = [
        (
            moment_text(e.time),
            e.service,
            _incident(e),
            e.event,
            e.method.rpartition("/")[2],
            e.error,
        )
        for e in errors
    ]
    print_messages(
        errors,
        as_data=json,
        columns=("TIME", "SERVICE", "INCIDENT", "EVENT", "METHOD", "ERROR"),
        rows=rows,
        nothing="No errors.",
    )


@app.command()
def get(
    incident: Annotated[str, typer.Argument(help="The id that an error told.")],
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Show one error; administrators see where in the code it was.

    Example:
        hanami errors get 5f0c0b6d7b1f4a0c9a55d7a0f1c2e3d4
    """
    with open_client(url) as client:
        found = client.errors.get(incident)
    print_message(
        found,
        as_data=json,
        rows=[
            ("Incident", _incident(found)),
            ("Time", moment_text(found.time)),
            ("Service", found.service),
            ("Event", found.event),
            ("Method", found.method),
            ("Caller", found.principal),
            ("Resource", found.resource),
            ("Trace", found.trace_id),
            ("Error", found.error),
            ("Where", found.stack_trace),
        ],
    )


def _incident(error: ErrorRecord) -> str:
    return error.name.rpartition("/")[2]
