"""`hanami demo`: the whole product at work, in one command."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hanami_sdk.cli import options

app = typer.Typer(no_args_is_help=True, help="The whole product at work, in one command.")


class DemoTemplate(StrEnum):
    """What the demo's networks are made from."""

    GRID = "grid"
    FLAT = "flat"


@app.callback()
def demos() -> None:
    """Show the whole product at work, in one command."""


@app.command("mnist")
def demo_mnist(
    template: Annotated[
        DemoTemplate, typer.Option(help="grid knows that pixels have neighbours; flat does not.")
    ] = DemoTemplate.GRID,
    epochs: Annotated[int, typer.Option(help="How often to go through the digits.", min=1)] = 1,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the mesh running at the end.")
    ] = False,
    port: options.GatewayPort = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="A folder with the four MNIST files, instead of fetching them.",
            exists=True,
            file_okay=False,
            show_default=False,
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Learn to read handwritten digits, from nothing to the score.

    Starts the mesh unless it runs, fetches MNIST, and teaches two networks the
    60,000 digits, raw pixels one row after the other: one by a task over the
    stored data set, one by a stream of frames. Then both read 10,000 digits they
    have never seen. What the demo started is stopped at the end, unless --keep.

    Examples:
        hanami demo mnist

        hanami demo mnist --keep --template flat

        hanami demo mnist --json > figures.json
    """
    from hanami_sdk.cli.demo.stage import Stage, run_demo

    stage = Stage(as_data=json)
    run_demo(stage, template=template.value, epochs=epochs, keep=keep, port=port, data=data)
