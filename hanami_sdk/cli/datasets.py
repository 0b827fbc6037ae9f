"""`hanami dataset`: stored tables of rows."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.columns import next_commands, uses, warning
from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.messages import as_json
from hanami_sdk.cli.output import (
    bytes_text,
    command,
    note,
    print_fields,
    print_json,
    print_message,
    print_messages,
    progress_bar,
)
from hanami_sdk.cli.visibility import (
    WIRE_VISIBILITIES,
    OnCreation,
    OnUpdate,
    Visibility,
    visibility_text,
)

if TYPE_CHECKING:
    from hanami.shiori.v1.dataset_service_pb2 import Dataset

    from hanami_sdk import visibility as visibilities
    from hanami_sdk.client import Client

app = typer.Typer(no_args_is_help=True, help="Stored tables of rows.")

DatasetArgument = Annotated[str, typer.Argument(help="Name of the data set.")]
ExistingFile = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, show_default=False)]


@app.command()
def upload(
    dataset: Annotated[
        str, typer.Argument(help="Name of the data set; a CSV file alone gives it its own.")
    ],
    csv: Annotated[
        Path | None,
        typer.Argument(
            help="A CSV file with a header line.", exists=True, dir_okay=False, show_default=False
        ),
    ] = None,
    target: Annotated[str, typer.Option(help="The column to learn by default.")] = "",
    images: ExistingFile = None,
    labels: ExistingFile = None,
    visibility: OnCreation = Visibility.SHARED,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Upload a CSV file, or a pair of IDX files (--images and --labels).

    Columns of numbers are fed to networks by default. An empty cell is a gap, and in
    a column of numbers also NA, N/A, NULL, None and nan.

    Examples:
        hanami dataset upload iris.csv --target species --project demo

        hanami dataset upload flowers iris.csv --target species --project demo

        hanami dataset upload digits --images train-images --labels train-labels -p demo
    """
    if csv is None and images is None and dataset.lower().endswith(".csv"):
        csv = Path(dataset)
        dataset = _name_of(csv)
    if (csv is None) == (images is None) or (images is None) != (labels is None):
        raise CommandFailure(
            "Give either a CSV file, or --images together with --labels.",
            hint="hanami dataset upload --help shows examples.",
            exit_code=EXIT_USAGE,
        )
    wanted = WIRE_VISIBILITIES[visibility]
    with open_client(url, project) as client:
        if csv is not None:
            made = upload_with_bar(client, dataset, csv=csv, target=target, visibility=wanted)
        else:
            made = upload_with_bar(client, dataset, images=images, labels=labels, visibility=wanted)
    if json:
        print_json(as_json(made))
        return
    note(f"Uploaded {made.row_count} rows.")
    print_fields([*_fields(made), *uses(made)])
    if text := warning(made):
        note(f"Note: {text}")
    is_known = project == os.environ.get("HANAMI_PROJECT", "")
    print("\nNext:")
    for words in next_commands(made):
        print(f"  {command()} {words}{'' if is_known else f' --project {project}'}")


def _name_of(csv: Path) -> str:
    """Return a data set's name made from the name of its file.

    Raises:
        CommandFailure: there is no such file, or its name does not make one.
    """
    if not csv.is_file():
        raise CommandFailure(f"There is no file {csv}.", exit_code=EXIT_USAGE)
    name = re.sub(r"[^a-z0-9]+", "-", csv.stem.lower()).strip("-")
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,61}[a-z0-9]", name):
        raise CommandFailure(
            f"The file's name {csv.name!r} does not make a name of a data set.",
            hint=f"Give it one: hanami dataset upload NAME {csv}",
            exit_code=EXIT_USAGE,
        )
    return name


def upload_with_bar(
    client: Client,
    dataset: str,
    *,
    csv: Path | None = None,
    target: str = "",
    images: Path | None = None,
    labels: Path | None = None,
    visibility: visibilities.Visibility | None = None,
) -> Dataset:
    """Upload a CSV file or a pair of IDX files and show how far it is."""
    with progress_bar(unit="bytes") as bar:
        task = bar.add_task(f"Uploading {dataset}", total=None, facts="")

        def show(sent: int, total: int) -> None:
            facts = "converting" if sent == total else ""
            bar.update(task, completed=sent, total=total, facts=facts)

        if csv is not None:
            return client.datasets.upload_csv(
                dataset, csv, target_column=target, visibility=visibility, progress=show
            )
        if images is None or labels is None:
            raise ValueError("an upload is a CSV file or a pair of IDX files")
        return client.datasets.upload_idx(
            dataset, images, labels, visibility=visibility, progress=show
        )


@app.command("list")
def list_datasets(
    project: options.Project = "", url: options.Url = None, json: options.Json = False
) -> None:
    """List the data sets of a project.

    Example:
        hanami dataset list --project demo
    """
    with open_client(url, project) as client:
        datasets = list(client.datasets.list())
    rows = [
        (
            d.name,
            visibility_text(d.visibility),
            str(d.row_count),
            str(len(d.columns)),
            bytes_text(d.size_bytes),
        )
        for d in datasets
    ]
    print_messages(
        datasets,
        as_data=json,
        columns=("DATA SET", "VISIBILITY", "ROWS", "COLUMNS", "SIZE"),
        rows=rows,
        nothing="No data sets. Upload one: hanami dataset upload NAME FILE.csv",
    )


@app.command()
def get(
    dataset: DatasetArgument,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Show one data set and its columns.

    Example:
        hanami dataset get iris --project demo
    """
    with open_client(url, project) as client:
        found = client.datasets.get(dataset)
    print_message(found, as_data=json, rows=_fields(found))


@app.command()
def update(
    dataset: DatasetArgument,
    visibility: OnUpdate,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Change who may know of a data set (its owner, and the project's administrators).

    Example:
        hanami dataset update iris --visibility private --project demo
    """
    with open_client(url, project) as client:
        changed = client.datasets.update(dataset, visibility=WIRE_VISIBILITIES[visibility])
    print_message(changed, as_data=json, rows=_fields(changed))


@app.command()
def delete(
    dataset: DatasetArgument,
    yes: options.Yes = False,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Delete a data set.

    Example:
        hanami dataset delete iris --project demo --yes
    """
    if not yes:
        typer.confirm(f"Delete the data set {dataset}?", abort=True, err=True)
    with open_client(url, project) as client:
        client.datasets.delete(dataset)
    if json:
        print_json({"deleted": dataset})
    else:
        print(f"Deleted {dataset}.")


def _fields(dataset: Dataset) -> list[tuple[str, str]]:
    from hanami.shiori.v1.dataset_service_pb2 import ColumnRole, ColumnType

    fields = [
        ("Data set", dataset.name),
        ("Owner", dataset.owner),
        ("Visibility", visibility_text(dataset.visibility)),
        ("Rows", str(dataset.row_count)),
        ("Size", bytes_text(dataset.size_bytes)),
        ("SHA-256", dataset.sha256),
        ("Created", dataset.create_time.ToJsonString()),
    ]
    for column in dataset.columns:
        kind = ColumnType.Name(column.type).removeprefix("COLUMN_TYPE_").lower()
        role = ColumnRole.Name(column.role).removeprefix("COLUMN_ROLE_").lower()
        width = f" x {column.width}" if column.width > 1 else ""
        gaps = f", {column.missing_count} gaps" if column.missing_count else ""
        fields.append((f"Column {column.name}", f"{kind}{width}, {role}{gaps}"))
    return fields
