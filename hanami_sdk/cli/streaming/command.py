"""`hanami stream`: what it can be asked for, and how it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.row_layout import ColumnChoice
from hanami_sdk.cli.streaming.line_sources import check_followable
from hanami_sdk.cli.streaming.replay import parse_pace
from hanami_sdk.cli.streams import (
    DelimiterOption,
    FrameRowsOption,
    IgnoreOption,
    LabelOption,
    NetworkArgument,
    TargetOption,
)

Format = Literal["auto", "csv", "json"]


def stream(
    network: NetworkArgument,
    file: Annotated[
        str, typer.Argument(help="A file of CSV with a header line, or of JSON lines; - is stdin.")
    ] = "-",
    label: LabelOption = "",
    target: TargetOption = None,
    ignore: IgnoreOption = None,
    time: Annotated[
        str,
        typer.Option("--time", help="The column that says when a row was measured."),
    ] = "",
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", "-f", help="Go on at the end of the file, also when it is rotated."
        ),
    ] = False,
    replay: Annotated[
        str,
        typer.Option("--replay", help="The pace by --time: 1x is real time; or 10x, or max."),
    ] = "max",
    file_format: Annotated[
        Format, typer.Option("--format", help="What the lines are; auto looks at the first one.")
    ] = "auto",
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            help="The bookmark: where to keep what is needed to go on after a kill.",
            show_default="a file in $HANAMI_HOME/streams for the network and FILE",
        ),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Forget the bookmark; begin at the start of the source."),
    ] = False,
    skip_bad_lines: Annotated[
        bool, typer.Option("--skip-bad-lines", help="Count lines that cannot be read, and go on.")
    ] = False,
    window: Annotated[
        int, typer.Option("--window", help="Rows that the figures look back.", min=1)
    ] = 1000,
    every: Annotated[
        float,
        typer.Option("--every", help="Seconds between lines where no terminal shows a plot."),
    ] = 2.0,
    patience: Annotated[
        float, typer.Option("--patience", help="Seconds to wait for a server that is lost.")
    ] = 600.0,
    frame_rows: FrameRowsOption = 64,
    delimiter: DelimiterOption = ",",
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Let a network learn a living source, each row exactly once, and watch it.

    Rows are predicted first and learned second; the plot shows how well, beside the best
    naive guess. All columns but the label, the targets, the time and the ignored ones are
    fed. A row without a label is only predicted, unless the network's pipeline teaches it.

    A server that is lost is waited for, and gets again what it does not have. When this
    command ends, by Ctrl-C, kill or a crash, call it again in the same way: it goes on
    where it was, no row is left out, and none is learned twice. Stdin that is gone on
    with has to begin with the same lines as before.

    Examples:
        hanami stream pumps readings.csv --label state --follow

        hanami stream pumps readings.jsonl --target pressure --time at --replay 10x

        mosquitto_sub -t pumps/1 | hanami stream pumps --target pressure --fresh
    """
    from hanami_sdk.cli.streaming.run import Terms, run

    check_followable(file, follow=follow)
    pace = parse_pace(replay)
    if replay != "max" and not time:
        raise CommandFailure(
            "--replay needs to know when rows were measured: --time COLUMN.", exit_code=EXIT_USAGE
        )
    terms = Terms(
        network=network,
        file=file,
        choice=ColumnChoice(label, tuple(target or ()), tuple(ignore or ()), time),
        follow=follow,
        pace=pace,
        file_format=file_format,
        bookmark=resume,
        is_fresh=fresh,
        skips_bad_lines=skip_bad_lines,
        window=window,
        every=every,
        patience=patience,
        frame_rows=frame_rows,
        delimiter=delimiter,
    )
    run(terms, url, project, as_data=json)
