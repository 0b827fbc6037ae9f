"""The `hanami` command: all its parts put together.

Nothing that takes long to import is imported here, so that `--help` is quick.
"""

from __future__ import annotations

from typing import Annotated

import typer

from hanami_sdk.cli import (
    api_keys,
    audit,
    bridge,
    datasets,
    demo,
    error_log,
    local,
    login,
    networks,
    policies,
    programs,
    projects,
    providers,
    quotas,
    sessions,
    signing_keys,
    streams,
    tasks,
    templates,
    users,
)
from hanami_sdk.cli.failures import FriendlyGroup
from hanami_sdk.cli.streaming import command as streaming

_MACHINE = "This machine"
_WORK = "Learning"
_RESOURCES = "Resources"
_PEOPLE = "People, devices, programs"

app = typer.Typer(
    name="hanami",
    cls=FriendlyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"hanami {version('hanami')}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show stack traces of errors (also: HANAMI_DEBUG=1).")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Online machine learning: networks that grow while they learn.

    First steps:

        hanami up               start the mesh on this machine

        hanami login            log in as its administrator

        hanami demo mnist       learn handwritten digits, from nothing to the score

    Every command explains itself with --help and speaks JSON with --json.
    """


app.command(rich_help_panel=_MACHINE)(local.up)
app.command(rich_help_panel=_MACHINE)(local.down)
app.command(rich_help_panel=_MACHINE)(local.status)
app.command(rich_help_panel=_MACHINE)(local.logs)
app.command(rich_help_panel=_MACHINE)(local.restart)
app.command(rich_help_panel=_MACHINE)(local.rotate_key)
app.command(rich_help_panel=_MACHINE)(login.login)
app.command(rich_help_panel=_MACHINE)(login.logout)
app.command(rich_help_panel=_WORK)(streams.learn)
app.command(rich_help_panel=_WORK)(streams.predict)
app.command(rich_help_panel=_WORK)(streaming.stream)
app.command(rich_help_panel=_WORK)(bridge.bridge)
app.add_typer(demo.app, name="demo", rich_help_panel=_WORK)
app.add_typer(tasks.app, name="task", rich_help_panel=_WORK)
app.add_typer(projects.app, name="project", rich_help_panel=_RESOURCES)
app.add_typer(users.app, name="user", rich_help_panel=_PEOPLE)
app.add_typer(sessions.app, name="session", rich_help_panel=_PEOPLE)
app.add_typer(api_keys.app, name="key", rich_help_panel=_PEOPLE)
app.add_typer(programs.app, name="client", rich_help_panel=_PEOPLE)
app.add_typer(providers.app, name="provider", rich_help_panel=_PEOPLE)
app.add_typer(policies.app, name="policy", rich_help_panel=_PEOPLE)
app.add_typer(quotas.app, name="quota", rich_help_panel=_RESOURCES)
app.add_typer(signing_keys.app, name="signing-key", rich_help_panel=_PEOPLE)
app.add_typer(datasets.app, name="dataset", rich_help_panel=_RESOURCES)
app.add_typer(templates.app, name="template", rich_help_panel=_RESOURCES)
app.add_typer(networks.app, name="network", rich_help_panel=_RESOURCES)
app.add_typer(audit.app, name="audit", rich_help_panel=_RESOURCES)
app.add_typer(error_log.app, name="errors", rich_help_panel=_RESOURCES)
