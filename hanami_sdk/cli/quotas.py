"""`hanami quota`: how much projects and users may have, and how much they have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.messages import as_json
from hanami_sdk.cli.output import print_json, print_message, print_table

if TYPE_CHECKING:
    from hanami.misaki.v1.quota_service_pb2 import ProjectQuota, UserQuota

app = typer.Typer(
    no_args_is_help=True, help="How much projects and users may have, and how much they have."
)

User = Annotated[
    str,
    typer.Option(
        "--user",
        help="The user, in all projects together, instead of a project; me is yourself.",
        show_default=False,
    ),
]
Limits = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME=LIMIT...",
        help="The new limits: a number, for bytes also such as 20GiB; default gives one back.",
        show_default=False,
    ),
]
IfEtag = Annotated[
    str, typer.Option("--if-etag", help="Only if nobody has changed them since; see --json.")
]
_UNITS: Mapping[str, int] = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_LIMIT = re.compile(r"([0-9][0-9_]*)([a-z]*)")


@app.command()
def show(
    user: User = "",
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Show the limits of a project or a user.

    Examples:
        hanami quota show --project garden

        hanami quota show --user me
    """
    with open_client(url, project) as client:
        found = client.quotas.get_user(user) if user else client.quotas.get()
    _print(found, as_data=json)


@app.command("set")
def set_limits(
    limits: Limits,
    user: User = "",
    if_etag: IfEtag = "",
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Change limits: admins any, project admins up to what is granted to their project.

    Examples:
        hanami quota set networks=20 dataset_bytes=5GiB --project garden

        hanami quota set streams=default --user alice
    """
    wanted = parse_limits(limits)
    with open_client(url, project) as client:
        changed: ProjectQuota | UserQuota
        if user:
            changed = client.quotas.update_user(user, wanted, etag=if_etag)
        else:
            changed = client.quotas.update(wanted, etag=if_etag)
    _print(changed, as_data=json)


@app.command()
def usage(
    user: User = "",
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Show how much a project or a user has of what they may have.

    Examples:
        hanami quota usage --project garden

        hanami quota usage --user me --json
    """
    with open_client(url, project) as client:
        uses = client.quotas.user_usage(user) if user else client.quotas.usage()
    if json:
        print_json([as_json(use) for use in uses])
        return
    rows = [
        (use.quota, f"{use.used:,}", f"{use.limit:,}", share_text(use.used, use.limit))
        for use in uses
    ]
    print_table(("QUOTA", "USED", "LIMIT", "SHARE"), rows, nothing="Nothing is counted.")


def parse_limits(words: list[str]) -> dict[str, int | None]:
    """Return limits as people type them.

    Raises:
        CommandFailure: a word is not of the form NAME=LIMIT.
    """
    limits: dict[str, int | None] = {}
    for word in words:
        name, _, text = word.partition("=")
        match = _LIMIT.fullmatch(text.lower())
        if text == "default":
            limits[name] = None
        elif name and match and match[2] in _UNITS:
            limits[name] = int(match[1]) * _UNITS[match[2]]
        else:
            raise CommandFailure(
                f"{word!r} is not a quota with its new limit.",
                hint="Such as networks=20, dataset_bytes=5GiB or streams=default.",
                exit_code=EXIT_USAGE,
            )
    return limits


def share_text(used: int, limit: int) -> str:
    """Return how much of a limit is used, rounded down: 100% is all of it."""
    if limit <= 0:
        return "100%"
    return f"{100 * used // limit}%"


def _print(quota: ProjectQuota | UserQuota, *, as_data: bool) -> None:
    from hanami_sdk.areas.quotas import QUOTA_NAMES

    granted = getattr(quota, "granted", None)
    rows = []
    for name in QUOTA_NAMES:
        limit = getattr(quota.limits, name)
        most = getattr(granted, name) if granted is not None else limit
        rows.append((name, f"{limit:,}" + (f"  (granted: {most:,})" if most != limit else "")))
    print_message(quota, as_data=as_data, rows=[("quota", quota.name), *rows])
