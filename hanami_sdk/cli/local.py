"""`hanami up`, `down`, `status`, `logs` and `restart`: the mesh on this machine."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.failures import EXIT_USAGE, CommandFailure
from hanami_sdk.cli.log_lines import LogLine, merged, read_line
from hanami_sdk.cli.output import bytes_text, command, note, print_fields, print_json, print_table

if TYPE_CHECKING:
    from hanami_sdk.local.home import MeshHome
    from hanami_sdk.local.state import ComponentStatus, MeshState, StartEvent


def up(
    port: options.GatewayPort = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="Address that the gateway listens on; 127.0.0.1 when left out.",
            show_default=False,
        ),
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="Speak TLS, with a certificate made for this machine.")
    ] = False,
    mtls: Annotated[
        bool,
        typer.Option(
            "--mtls",
            help="Let the services speak TLS with each other, and refuse whoever has no "
            "certificate of this mesh.",
        ),
    ] = False,
    otlp_endpoint: Annotated[
        str | None,
        typer.Option(help="Send traces to this OTLP receiver.", show_default=False),
    ] = None,
    json: options.Json = False,
) -> None:
    """Start the mesh on this machine: five services behind a real Envoy.

    It needs no root, no Docker and no database server. What runs already is left
    alone; what is missing is started. All data stays in one folder, HANAMI_HOME.

    Examples:
        hanami up

        hanami up --port 8000 --tls

        hanami up --tls --mtls
    """
    from hanami_sdk.local import mesh

    home = _home()
    state = mesh.start(
        home,
        on_event=show_event,
        port=port,
        host=host,
        tls=tls or None,
        mtls=mtls or None,
        otlp_endpoint=otlp_endpoint,
    )
    components = mesh.status(home)
    if json:
        print_json(_mesh_json(state, components))
        return
    _print_components(components)
    print()
    print_fields(
        [
            ("Gateway", state.gateway_url),
            ("Start page", f"{state.gateway_url}/"),
            ("Administrator", state.admin_user_id),
            ("Password file", str(state.admin_password_file or "")),
            ("Data", str(state.home)),
            ("Key of the data", _key_of_the_data(home)),
        ]
    )
    hanami = command()
    print(f"\nNext: {hanami} login; {hanami} demo mnist")


def down(json: options.Json = False) -> None:
    """Stop the mesh on this machine. Nothing that was learned is lost.

    Example:
        hanami down
    """
    from hanami_sdk.local import mesh

    stopped = mesh.stop(_home(), show_event)
    if json:
        print_json({"stopped": list(stopped)})
    else:
        print(f"Stopped {', '.join(stopped)}." if stopped else "Nothing was running.")


def status(json: options.Json = False) -> None:
    """Show how every part of the local mesh is.

    The exit code is 0 when all of it serves, 1 otherwise.

    Examples:
        hanami status

        hanami status --json
    """
    from hanami_sdk.local import mesh
    from hanami_sdk.local.state import Health

    home = _home()
    components = mesh.status(home)
    if json:
        print_json(_mesh_json(mesh.running_state(home), components))
    elif components:
        _print_components(components)
    else:
        print("No mesh runs here. Start one: hanami up")
    if not components or any(c.health is not Health.SERVING for c in components):
        raise typer.Exit(1)


def restart(
    service: Annotated[str, typer.Argument(help="misaki, shiori, kyouko, azuki, torii or envoy.")],
    json: options.Json = False,
) -> None:
    """Stop one part of the local mesh and start it again.

    Example:
        hanami restart kyouko
    """
    from hanami_sdk.local import mesh

    home = _home()
    state = mesh.restart(home, service, show_event)
    if json:
        print_json(_mesh_json(state, mesh.status(home)))
    else:
        print(f"{service} runs.")


def rotate_key(json: options.Json = False) -> None:
    """Replace the key that data sets, snapshots and journals are encrypted with.

    The keys of all objects are encrypted with the new key; their content stays as it is.
    shiori and kyouko stop meanwhile, if they run.

    Example:
        hanami rotate-key
    """
    from hanami_sdk.local import mesh
    from hanami_sdk.local.key_rotation import rotate_encryption_key

    home = _home()
    done = rotate_encryption_key(home, mesh.running_state(home), show_event)
    if json:
        print_json({"reports": list(done.reports), "key_file": str(home.encryption_key_file)})
        return
    for line in done.reports:
        print(line)
    print(f"The old key is forgotten; the new one is in {home.encryption_key_file}. Keep a copy.")


def logs(
    service: Annotated[
        str | None,
        typer.Argument(help="Whose log, or `access` for all calls; all parts when left out."),
    ] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many last lines.", min=1)] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the lines as they were written, one JSON each.")
    ] = False,
) -> None:
    """Show what the parts of the local mesh have logged, in the order of time.

    Examples:
        hanami logs kyouko -n 100

        hanami logs access

        hanami logs -f
    """
    from hanami_sdk.local import mesh

    paths = mesh.log_paths(_home())
    if service is not None and service not in paths:
        raise CommandFailure(
            f"There is no service {service!r}.",
            hint=f"One of: {', '.join(paths)}",
            exit_code=EXIT_USAGE,
        )
    # Every call is in the access log and in its service's: twice would be too much.
    names = [service] if service is not None else [name for name in paths if name != "access"]
    last = merged(_last_lines(name, paths[name], lines) for name in names)[-lines:]
    for line in last:
        print(line.as_json() if json else line.as_text())
    if follow:
        _follow({name: paths[name] for name in names}, as_data=json)


def _key_of_the_data(home: MeshHome) -> str:
    """Return where the key is without which all data is lost."""
    path = home.encryption_key_file
    return f"{path} (keep a copy)" if path.exists() else "from the environment"


def show_event(event: StartEvent) -> None:
    """Tell on stderr what happens while the mesh starts or stops."""
    note(f"{event.seconds:6.1f} s  {event.text}")


def _home() -> MeshHome:
    from hanami_sdk.local.home import MeshHome

    return MeshHome.default()


def _mesh_json(state: MeshState | None, components: list[ComponentStatus]) -> dict[str, Any]:
    facts: dict[str, Any] = {"url": None, "admin_user_id": None, "admin_password_file": None}
    if state is not None:
        password_file = state.admin_password_file
        facts = {
            "url": state.gateway_url,
            "admin_user_id": state.admin_user_id,
            "admin_password_file": str(password_file) if password_file is not None else None,
        }
    return {
        **facts,
        "services": [
            {
                "name": c.name,
                "health": str(c.health),
                "address": c.address,
                "pid": c.pid,
                "memory_bytes": c.memory_bytes,
                "uptime_seconds": c.uptime_seconds,
                "log": str(c.log_path),
            }
            for c in components
        ],
    }


def _print_components(components: list[ComponentStatus]) -> None:
    rows = [
        (
            c.name,
            str(c.health),
            c.address,
            str(c.pid or ""),
            bytes_text(c.memory_bytes) if c.memory_bytes is not None else "",
            f"{c.uptime_seconds:.0f} s" if c.uptime_seconds is not None else "",
            str(c.log_path),
        )
        for c in components
    ]
    columns = ("SERVICE", "HEALTH", "ADDRESS", "PID", "MEMORY", "UP", "LOG")
    print_table(columns, rows, nothing="Nothing runs.")


def _last_lines(name: str, path: Path, count: int) -> list[LogLine]:
    from hanami_sdk.local.processes import last_lines

    return [read_line(name, line) for line in last_lines(path, count)]


def _follow(paths: dict[str, Path], *, as_data: bool) -> None:
    """Print lines as they are written, until Ctrl-C."""
    with contextlib.ExitStack() as stack:
        files = {
            name: stack.enter_context(path.open(errors="replace"))
            for name, path in paths.items()
            if path.exists()
        }
        for file in files.values():
            file.seek(0, 2)
        while True:
            fresh = [
                [read_line(name, text.rstrip("\n")) for text in file]
                for name, file in files.items()
            ]
            for line in merged(fresh):
                print(line.as_json() if as_data else line.as_text(), flush=True)
            time.sleep(0.3)
