"""`hanami policy`: which role may call which method."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.editor import edited
from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.messages import as_json
from hanami_sdk.cli.moments import moment_text
from hanami_sdk.cli.output import note, print_json, print_message, print_messages, print_table
from hanami_sdk.cli.policy_file import (
    Rule,
    by_method,
    full_method,
    parse_policy,
    policy_text,
)
from hanami_sdk.cli.roles import WIRE_NAMES, AnyRole, roles_text
from hanami_sdk.names import last_part

if TYPE_CHECKING:
    from hanami.misaki.v1.policy_service_pb2 import MethodRule, Policy

    from hanami_sdk.client import Client

app = typer.Typer(
    no_args_is_help=True, help="Which role may call which method (administrators only)."
)

PolicyFile = Annotated[
    str, typer.Argument(metavar="FILE", help="The file; - is stdin.", show_default=False)
]
IfVersion = Annotated[
    str,
    typer.Option("--if-version", help="Only if this is still the newest version."),
]


@app.command()
def get(
    version: Annotated[
        int | None,
        typer.Argument(min=0, help="The version; the one that counts when left out."),
    ] = None,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Show a version of the policy, in the form that `update` reads.

    Examples:
        hanami policy get > policy.txt

        hanami policy get 3 --json
    """
    with open_client(url) as client:
        found = client.policies.get(version)
    if json:
        print_json(as_json(found))
    else:
        sys.stdout.write(policy_text(found))


@app.command("list")
def list_versions(url: options.Url = None, json: options.Json = False) -> None:
    """List the versions of the policy, newest first.

    Example:
        hanami policy list
    """
    with open_client(url) as client:
        versions = list(client.policies.list())
    rows = [
        (
            last_part(v.name),
            moment_text(v.create_time) if v.HasField("create_time") else "",
            v.author or "the contracts",
            str(len(v.rules)),
        )
        for v in versions
    ]
    print_messages(
        versions,
        as_data=json,
        columns=("VERSION", "MADE", "BY", "CHANGED METHODS"),
        rows=rows,
        nothing="No versions.",
    )


@app.command()
def methods(
    named: Annotated[
        str, typer.Argument(help="Only those whose name has this in it.", show_default=False)
    ] = "",
    changed: Annotated[
        bool, typer.Option("--changed", help="Only those that differ from their contract.")
    ] = False,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """List the methods of the mesh: who may call them, and who could be allowed to.

    Examples:
        hanami policy methods NetworkService

        hanami policy methods --changed
    """
    with open_client(url) as client:
        rules = [
            rule
            for rule in client.policies.methods()
            if named.lower() in rule.method.lower() and (_is_changed(rule) or not changed)
        ]
    rows = [
        (r.method, _who(r), roles_text(r.allowed_roles) if r.allowed_roles else "") for r in rules
    ]
    print_messages(
        rules,
        as_data=json,
        columns=("METHOD", "OPEN TO", "MAY BE OPENED TO"),
        rows=rows,
        nothing="No such methods.",
    )


@app.command()
def update(
    file: PolicyFile,
    if_version: IfVersion = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Make a new version from a file. It counts in every service within a second.

    A line names a method and the roles that may call it; `nobody` shuts it. Methods
    that are not named have the roles of their contract again.

        NetworkService/CreateNetwork: admin, project-admin

    Examples:
        hanami policy update policy.txt

        hanami policy update - --if-version 3 < policy.txt
    """
    text = _text_of(file)
    with open_client(url) as client:
        made = _updated(client, parse_policy(text, _methods(client)), if_version)
    _show(made, as_data=json)


@app.command()
def edit(url: options.Url = None, json: options.Json = False) -> None:
    """Open the policy in your editor (VISUAL or EDITOR), and make a new version of it.

    Nothing happens when nothing was changed, or when somebody else was quicker.

    Example:
        EDITOR=nano hanami policy edit
    """
    with open_client(url) as client:
        before = client.policies.get()
        text = policy_text(before)
        changed = edited(text, name="policy.txt")
        if changed == text:
            note("Nothing was changed.")
            made = before
        else:
            made = _updated(client, parse_policy(changed, _methods(client)), before.etag)
    _show(made, as_data=json)


@app.command()
def rollback(
    version: Annotated[int, typer.Argument(min=0, help="The version; 0 is the contracts' own.")],
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Make a new version with the content of an older one.

    Example:
        hanami policy rollback 2
    """
    with open_client(url) as client:
        made = client.policies.rollback(version)
    _show(made, as_data=json)


@app.command("test")
def explain(
    method: Annotated[
        str, typer.Argument(help="The method, or the end of its name: CreateNetwork.")
    ],
    user: Annotated[
        str | None, typer.Option(help="Who would call: a user.", show_default=False)
    ] = None,
    role: Annotated[
        AnyRole | None, typer.Option(help="Or anybody with this role.", show_default=False)
    ] = None,
    about: Annotated[
        str, typer.Option("--project", "-p", help="The project that it would be about.")
    ] = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Tell whether somebody may call a method, and why.

    Examples:
        hanami policy test DeleteNetwork --user alice --project demo

        hanami policy test CreateUser --role project-admin --project demo
    """
    if (user is None) == (role is None):
        raise CommandFailure(
            "Say who would call.", hint="Use --user or --role.", exit_code=EXIT_USAGE
        )
    with open_client(url) as client:
        answer = client.policies.test(
            full_method(method, _methods(client)),
            user=user or "",
            role=None if role is None else WIRE_NAMES[role],
            project=about,
        )
    print_message(
        answer,
        as_data=json,
        rows=[
            ("Allowed", "yes" if answer.allowed else f"no ({answer.reason})"),
            ("Why", answer.explanation),
            ("Has", roles_text(answer.held_roles)),
            ("Needs", roles_text(answer.needed_roles)),
            ("Says", answer.source),
        ],
    )


@app.command("import")
def import_file(
    file: PolicyFile,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would come of it, and change nothing.")
    ] = False,
    if_version: IfVersion = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Make a new version from a policy file of the prototype.

    What the file does not allow is denied to all but administrators. Lines that could
    not be taken over are listed.

    Examples:
        hanami policy import policies --dry-run

        hanami policy import policies
    """
    text = _text_of(file)
    with open_client(url) as client:
        answer = client.policies.import_prototype(text, validate_only=dry_run, etag=if_version)
    if json:
        print_json(as_json(answer))
        return
    sys.stdout.write(policy_text(answer.policy))
    print_table(
        ("LINE", "TEXT", "NOT TAKEN OVER"),
        [(str(r.line) if r.line else "", r.text, r.problem) for r in answer.remarks],
        nothing="Every line was taken over.",
    )


def _show(policy: Policy, *, as_data: bool) -> None:
    count = len(policy.rules)
    print_message(
        policy,
        as_data=as_data,
        rows=[
            ("Version", last_part(policy.name)),
            ("Made by", policy.author),
            ("Changed methods", str(count)),
        ],
    )


def _updated(client: Client, rules: list[Rule], version: str) -> Policy:
    from hanami_sdk.errors import InvalidArgument

    try:
        return client.policies.update(by_method(rules), etag=version)
    except InvalidArgument as error:
        problems = []
        for violation in error.violations:
            found = re.match(r"rules\[(\d+)\]", violation.field)
            where = f"Line {rules[int(found[1])].line}: " if found else ""
            problems.append(f"{where}{violation.description}.")
        if not problems:
            raise
        raise CommandFailure("\n".join(problems)) from error


def _methods(client: Client) -> list[str]:
    return [rule.method for rule in client.policies.methods()]


def _who(rule: MethodRule) -> str:
    if rule.public:
        return "everybody, without a token"
    return "everybody with a token" if rule.any_principal else roles_text(rule.roles)


def _is_changed(rule: MethodRule) -> bool:
    return set(rule.roles) != set(rule.contract_roles)


def _text_of(file: str) -> str:
    return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
