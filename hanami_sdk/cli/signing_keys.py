"""`hanami signing-key`: the keys that sign the mesh's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.moments import moment_text
from hanami_sdk.cli.output import note, print_message, print_messages
from hanami_sdk.names import last_part

if TYPE_CHECKING:
    from hanami.misaki.v1.signing_key_service_pb2 import SigningKey

app = typer.Typer(
    no_args_is_help=True, help="Keys that sign the mesh's tokens (administrators only)."
)


@app.command("list")
def list_keys(url: options.Url = None, json: options.Json = False) -> None:
    """List the keys: the next one, the current one and previous ones.

    Example:
        hanami signing-key list
    """
    with open_client(url) as client:
        keys = list(client.signing_keys.list())
    print_messages(
        keys,
        as_data=json,
        columns=("KEY", "STATE", "SIGNS FROM", "PUBLISHED UNTIL"),
        rows=[tuple(value for _, value in _fields(key)) for key in keys],
        nothing="No keys.",
    )


@app.command()
def rotate(
    immediately: Annotated[
        bool,
        typer.Option("--immediately", help="Void every token: the keys are in wrong hands."),
    ] = False,
    yes: options.Yes = False,
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Make the next key. It signs after a while, and nobody has to log in again.

    With --immediately it signs at once and everybody, you too, has to log in again.

    Examples:
        hanami signing-key rotate

        hanami signing-key rotate --immediately --yes
    """
    if immediately and not yes:
        typer.confirm("End every login of the mesh?", abort=True, err=True)
    with open_client(url) as client:
        made = client.signing_keys.rotate(immediately=immediately)
    print_message(made, as_data=json, rows=_fields(made))
    if immediately:
        note("Every token is void. Log in again: hanami login")


def _fields(key: SigningKey) -> list[tuple[str, str]]:
    from hanami.misaki.v1.signing_key_service_pb2 import SigningKey as Message

    state = Message.State.Name(key.state).removeprefix("STATE_").lower()
    until = moment_text(key.expire_time) if key.HasField("expire_time") else ""
    return [
        ("Key", last_part(key.name)),
        ("State", state),
        ("Signs from", moment_text(key.activate_time)),
        ("Published until", until),
    ]
