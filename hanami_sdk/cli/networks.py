"""`hanami network`: networks that grow while they learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hanami_sdk.channels import row_channels
from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.columns import fed_channels
from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.output import bytes_text, print_json, print_message, print_messages
from hanami_sdk.cli.templates import read_template
from hanami_sdk.cli.visibility import (
    WIRE_VISIBILITIES,
    OnCreation,
    OnUpdate,
    Visibility,
    visibility_text,
)

if TYPE_CHECKING:
    from hanami.kyouko.v1.network_service_pb2 import (
        ExpertShare,
        GrowthEvent,
        Network,
        PipelineStatistics,
    )

app = typer.Typer(no_args_is_help=True, help="Networks that grow while they learn.")

NetworkArgument = Annotated[str, typer.Argument(help="Name of the network.")]


@app.command()
def create(
    network: NetworkArgument,
    template: Annotated[
        str | None,
        typer.Option(help="A template that comes with Hanami; `flat` when left out."),
    ] = None,
    template_file: Annotated[
        str | None,
        typer.Option(help="A template of your own, in YAML; - is stdin.", show_default=False),
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option(help="Inputs of a row, where the template leaves it open.", min=1),
    ] = None,
    for_dataset: Annotated[
        str,
        typer.Option(help="As many inputs as this data set feeds.", show_default=False),
    ] = "",
    seed: Annotated[
        int | None, typer.Option(help="Same seed and same rows: same network.", min=0)
    ] = None,
    visibility: OnCreation = Visibility.SHARED,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Create a network. It has room to grow, and not one connection.

    Examples:
        hanami network create iris --channels 4 --project demo

        hanami network create pumps --for-dataset readings --project demo

        hanami network create digits --template grid --project demo

        hanami network create mine --template-file mine.yaml --project demo
    """
    if template is not None and template_file is not None:
        raise CommandFailure("Give --template or --template-file, not both.", exit_code=EXIT_USAGE)
    if channels is not None and for_dataset:
        raise CommandFailure("Give --channels or --for-dataset, not both.", exit_code=EXIT_USAGE)
    text = read_template(template_file) if template_file is not None else None
    if text is None and template is None:
        template = "flat"
    with open_client(url, project) as client:
        if for_dataset:
            channels = fed_channels(client.datasets.get(for_dataset))
        made = client.networks.create(
            network,
            template=template,
            template_yaml=text,
            channels=channels,
            seed=seed,
            visibility=WIRE_VISIBILITIES[visibility],
        )
    print_message(made, as_data=json, rows=_fields(made))


@app.command("list")
def list_networks(
    project: options.Project = "", url: options.Url = None, json: options.Json = False
) -> None:
    """List the networks of a project.

    Example:
        hanami network list --project demo
    """
    with open_client(url, project) as client:
        networks = list(client.networks.list())
    rows = [
        (
            n.name,
            visibility_text(n.visibility),
            str(n.statistics.learned_rows),
            str(n.statistics.neurons),
            str(n.statistics.connections),
            bytes_text(n.statistics.memory_bytes),
        )
        for n in networks
    ]
    print_messages(
        networks,
        as_data=json,
        columns=("NETWORK", "VISIBILITY", "LEARNED ROWS", "NEURONS", "CONNECTIONS", "MEMORY"),
        rows=rows,
        nothing="No networks. Make one: hanami network create NAME",
    )


@app.command()
def get(
    network: NetworkArgument,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Show one network and how far it has grown.

    Example:
        hanami network get digits --project demo
    """
    with open_client(url, project) as client:
        found = client.networks.get(network)
    print_message(found, as_data=json, rows=_fields(found))


@app.command()
def update(
    network: NetworkArgument,
    visibility: OnUpdate,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Change who may know of a network (its owner, and the project's administrators).

    Streams of those who may not any more end.

    Example:
        hanami network update digits --visibility public --project demo
    """
    with open_client(url, project) as client:
        changed = client.networks.update(network, visibility=WIRE_VISIBILITIES[visibility])
    print_message(changed, as_data=json, rows=_fields(changed))


@app.command()
def growth(
    network: NetworkArgument,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Show what changed in a network's structure, oldest first; the latest 256 changes.

    Example:
        hanami network growth digits --project demo
    """
    with open_client(url, project) as client:
        events = list(client.networks.growth_events(network))
    print_messages(
        events,
        as_data=json,
        columns=("ROW", "WHAT", "SUBJECT", "CONNECTIONS"),
        rows=[_event_row(event) for event in events],
        nothing="This network has not grown yet. Let it learn: hanami learn --help",
    )


@app.command()
def snapshot(
    network: NetworkArgument,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Take a snapshot of a network now.

    Hanami takes snapshots by itself, and its journal loses nothing in between: this one spares
    the next start the journal up to now. If nothing was learned since the newest one, that one
    is shown.

    Example:
        hanami network snapshot digits --project demo
    """
    with open_client(url, project) as client:
        taken = client.networks.snapshot(network)
    print_message(
        taken,
        as_data=json,
        rows=[
            ("Learned rows", str(taken.learned_rows)),
            ("Journal position", str(taken.journal_position)),
            ("Size", bytes_text(taken.size_bytes)),
            ("Created", taken.create_time.ToJsonString()),
        ],
    )


@app.command()
def delete(
    network: NetworkArgument,
    yes: options.Yes = False,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Delete a network with its tasks and all that it has learned.

    Example:
        hanami network delete digits --project demo --yes
    """
    if not yes:
        typer.confirm(f"Delete the network {network}?", abort=True, err=True)
    with open_client(url, project) as client:
        client.networks.delete(network)
    if json:
        print_json({"deleted": network})
    else:
        print(f"Deleted {network}.")


def _fields(network: Network) -> list[tuple[str, str]]:
    statistics = network.statistics
    return [
        ("Network", network.name),
        ("Owner", network.owner),
        ("Visibility", visibility_text(network.visibility)),
        ("Channels", str(row_channels(network))),
        ("Learned rows", f"{statistics.learned_rows} ({network.kept_rows} safe from a crash)"),
        ("Lost by damage", network.problem),
        ("Neurons", str(statistics.neurons)),
        ("Connections", str(statistics.connections)),
        ("Pruned connections", str(statistics.pruned_connections or "")),
        ("Labels", ", ".join(network.labels)),
        ("Memory", bytes_text(statistics.memory_bytes)),
        ("Growth stopped", statistics.growth_stopped),
        ("Drift alarms", str(statistics.drift_alarms or "")),
        ("Missing values", str(statistics.non_finite_values or "")),
        ("Experts", ", ".join(_expert_text(expert) for expert in statistics.experts)),
        *_pipeline_fields(statistics.pipeline),
        ("Created", network.create_time.ToJsonString()),
    ]


def _pipeline_fields(pipeline: PipelineStatistics) -> list[tuple[str, str]]:
    """Return what a pipeline has seen; nothing of what did not happen."""
    from hanami.kyouko.v1.network_service_pb2 import QuarantineCause

    counts = [
        f"channel {item.channel}: {item.values} "
        + QuarantineCause.Name(item.cause)
        .removeprefix("QUARANTINE_CAUSE_")
        .lower()
        .replace("_", " ")
        for item in pipeline.quarantined
    ]
    return [
        ("Waiting forecasts", str(pipeline.pending_rows or "")),
        ("Late rows", str(pipeline.late_rows or "")),
        ("Skipped rows", str(pipeline.skipped_rows or "")),
        ("Stuck channels", ", ".join(map(str, pipeline.stuck_channels))),
        ("Quarantine", ", ".join(counts)),
    ]


def _event_row(event: GrowthEvent) -> tuple[str, str, str, str]:
    """Return a growth event as a row of a table."""
    from hanami.kyouko.v1.network_service_pb2 import GrowthKind

    what = GrowthKind.Name(event.kind).removeprefix("GROWTH_KIND_").replace("_", " ").lower()
    subject = str(event.subject) if event.HasField("subject") else ""
    return str(event.row), what, subject, f"{event.connections:+d}" if event.connections else ""


def _expert_text(expert: ExpertShare) -> str:
    """Return an expert's share in the answers."""
    return f"{expert.name} {expert.weight:.0%}" + ("" if expert.awake else " (asleep)")
