"""`hanami template`: what networks are made from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.messages import as_json
from hanami_sdk.cli.output import print_json, print_messages

app = typer.Typer(no_args_is_help=True, help="What networks are made from.")


@app.command("list")
def list_templates(url: options.Url = None, json: options.Json = False) -> None:
    """List the templates that come with Hanami.

    Example:
        hanami template list
    """
    with open_client(url) as client:
        templates = list(client.templates.list())
    rows = [(t.name.removeprefix("templates/"), t.description) for t in templates]
    print_messages(
        templates,
        as_data=json,
        columns=("TEMPLATE", "WHAT FOR"),
        rows=rows,
        nothing="No templates.",
    )


@app.command()
def show(
    template: Annotated[str, typer.Argument(help="Name of the template.")],
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Print a template as people write it; a start for your own.

    Example:
        hanami template show grid > mine.yaml
    """
    with open_client(url) as client:
        found = client.templates.get(template)
    if json:
        print_json(as_json(found))
    else:
        print(found.yaml, end="" if found.yaml.endswith("\n") else "\n")


@app.command()
def check(
    file: Annotated[str, typer.Argument(help="The template's file; - is stdin.")],
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Check a template of your own; mistakes are shown with line and column.

    Example:
        hanami template check mine.yaml
    """
    text = read_template(file)
    with open_client(url) as client:
        structure = client.templates.parse(text)
    if json:
        print_json(as_json(structure))
        return
    neurons = sum(population.neurons for population in structure.populations)
    print(
        f"{file} is a template of {len(structure.inputs)} input(s) and "
        f"{len(structure.populations)} population(s) with room for {neurons} neurons."
    )


def read_template(file: str) -> str:
    """Return the text of a template's file; `-` is stdin."""
    return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
