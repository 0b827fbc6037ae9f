"""`hanami audit`: who did what, on what, from where, and how it ended."""

from __future__ import annotations

from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.messages import as_json
from hanami_sdk.cli.moments import moment_in, moment_text
from hanami_sdk.cli.output import print_json_line, print_messages

if TYPE_CHECKING:
    from hanami.shiori.v1.audit_service_pb2 import AuditEntry

    from hanami_sdk.areas.logs import AuditQuery

app = typer.Typer(no_args_is_help=True, help="Who did what, and how it ended.")


class Outcome(StrEnum):
    """How calls ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"


_OUTCOMES: dict[Outcome, Literal["SUCCEEDED", "FAILED", "REFUSED"]] = {
    Outcome.SUCCEEDED: "SUCCEEDED",
    Outcome.FAILED: "FAILED",
    Outcome.REFUSED: "REFUSED",
}

User = Annotated[str, typer.Option(help="Who called, or claimed to be: alice, services/kyouko.")]
OfProject = Annotated[
    str, typer.Option("--project", "-p", help="Only what was done in this project.")
]
Method = Annotated[str, typer.Option(help="Only this method, such as CreateNetwork.")]
Resource = Annotated[str, typer.Option(help="Only what was done with this, by its full name.")]
Ended = Annotated[
    Outcome | None,
    typer.Option(help="How it ended; refused: not let in, or not allowed.", show_default=False),
]
Since = Annotated[str | None, typer.Option(help="Not before: 30m, 2h, 7d, or 2026-05-01T12:00.")]
Until = Annotated[str | None, typer.Option(help="Before this time, in the same forms.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="The most entries to show.")]


@app.command("list")
def list_entries(
    user: User = "",
    project: OfProject = "",
    method: Method = "",
    resource: Resource = "",
    outcome: Ended = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """List entries of the audit log, newest first.

    Administrators see all, project administrators their project's, everybody their own.

    Examples:
        hanami audit list --since 1h

        hanami audit list --method Login --outcome refused
    """
    query = _query(user, project, method, resource, outcome, since, until)
    with open_client(url) as client:
        entries = list(islice(client.audit.list(query), limit))
    print_messages(
        entries,
        as_data=json,
        columns=("TIME", "WHO", "WHAT", "ON", "OUTCOME", "FROM"),
        rows=map(_row, entries),
        nothing="No entries.",
    )


@app.command()
def watch(
    user: User = "",
    project: OfProject = "",
    method: Method = "",
    resource: Resource = "",
    outcome: Ended = None,
    after: Annotated[
        int | None,
        typer.Option(
            "--after", min=0, help="Begin after the entry of this sequence.", show_default=False
        ),
    ] = None,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Show entries as they arrive, until Ctrl-C; with --json, one line for each.

    Example:
        hanami audit watch --project demo
    """
    query = _query(user, project, method, resource, outcome, None, None)
    with open_client(url) as client:
        for entry in client.audit.watch(query, after_sequence=after):
            if json:
                print_json_line(as_json(entry))
            else:
                print("  ".join(part for part in _row(entry) if part), flush=True)


def _query(
    user: str,
    project: str,
    method: str,
    resource: str,
    outcome: Outcome | None,
    since: str | None,
    until: str | None,
) -> AuditQuery:
    from hanami_sdk.areas.logs import AuditQuery

    return AuditQuery(
        user=user,
        project=project,
        method=method,
        resource=resource,
        outcome=None if outcome is None else _OUTCOMES[outcome],
        start=moment_in(since),
        end=moment_in(until),
    )


def _row(entry: AuditEntry) -> tuple[str, ...]:
    return (
        moment_text(entry.time),
        _who(entry),
        _what(entry),
        entry.resource,
        _outcome(entry),
        entry.address,
    )


def _who(entry: AuditEntry) -> str:
    if entry.principal:
        return entry.principal
    return f"{entry.claimed_principal}?" if entry.claimed_principal else "-"


def _what(entry: AuditEntry) -> str:
    from hanami.shiori.v1 import audit_service_pb2 as pb

    name = entry.method.rpartition("/")[2]
    match entry.kind:
        case pb.AUDIT_KIND_STREAM_OPENED:
            return f"{name} opened"
        case pb.AUDIT_KIND_STREAM_CLOSED:
            return f"{name} closed"
        case pb.AUDIT_KIND_GAP:
            return f"{entry.lost_count} entries lost"
    return name


def _outcome(entry: AuditEntry) -> str:
    from google.rpc import code_pb2
    from hanami.shiori.v1 import audit_service_pb2 as pb

    if entry.kind in (pb.AUDIT_KIND_STREAM_OPENED, pb.AUDIT_KIND_GAP):
        return ""
    words = [code_pb2.Code.Name(entry.code)]
    if entry.reason and entry.reason != words[0]:
        words.append(entry.reason)
    if entry.incident:
        words.append(entry.incident)
    if entry.row_count:
        words.append(f"{entry.row_count} rows")
    if entry.caller_left:
        words.append("caller left")
    return ", ".join(words)
