"""`hanami key`: API keys, with which devices learn and predict."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import open_client
from hanami_sdk.cli.messages import as_json
from hanami_sdk.cli.moments import moment_ahead, moment_text
from hanami_sdk.cli.output import print_json, print_message, print_messages
from hanami_sdk.cli.secrets import new_secret_file, print_secret
from hanami_sdk.names import last_part

if TYPE_CHECKING:
    from hanami.misaki.v1.api_key_service_pb2 import ApiKey

app = typer.Typer(
    no_args_is_help=True, help="Keys of devices: learn and predict, and nothing else."
)

KeyArgument = Annotated[str, typer.Argument(help="Id of the key.")]


class Action(StrEnum):
    """What a device may do."""

    LEARN = "learn"
    PREDICT = "predict"


_WIRE_ACTIONS: dict[Action, Literal["LEARN", "PREDICT"]] = {
    Action.LEARN: "LEARN",
    Action.PREDICT: "PREDICT",
}


@app.command()
def create(
    key: Annotated[str, typer.Argument(help="Id: lower-case letters, digits and dashes.")],
    allow: Annotated[
        list[Action], typer.Option(help="What the device may do; repeat it for both.")
    ],
    network: Annotated[
        str, typer.Option(help="The only network it is good for; all of the project if not.")
    ] = "",
    display_name: Annotated[str, typer.Option(help="The name that people read.")] = "",
    expires: options.Expires = None,
    secret_to: options.SecretTo = None,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Make a key for a device (the project's administrators). Its secret is shown once.

    Examples:
        hanami key create pump-7 --allow learn --network pumps --expires 365d

        hanami key create display --allow predict --secret-to display.key
    """
    new_secret_file(secret_to)
    end = moment_ahead(expires)
    with open_client(url, project) as client:
        made = client.api_keys.create(
            key,
            actions=[_WIRE_ACTIONS[action] for action in allow],
            network=network,
            display_name=display_name,
            expire_time=end,
        )
    print_secret(
        {"api_key": as_json(made.api_key)},
        made.secret,
        as_data=json,
        rows=_fields(made.api_key),
        file=secret_to,
        usage="hanami login --api-key, HANAMI_API_KEY in the environment, "
        "or Client(api_key=...) in Python",
    )


@app.command("list")
def list_keys(
    project: options.Project = "", url: options.Url = None, json: options.Json = False
) -> None:
    """List the keys of a project, without their secrets.

    Example:
        hanami key list --project demo
    """
    with open_client(url, project) as client:
        keys = list(client.api_keys.list())
    rows = [
        (
            last_part(k.name),
            k.display_name,
            _actions(k),
            last_part(k.network) or "all",
            moment_text(k.expire_time) if k.HasField("expire_time") else "never",
            moment_text(k.last_use_time) if k.HasField("last_use_time") else "never",
        )
        for k in keys
    ]
    print_messages(
        keys,
        as_data=json,
        columns=("KEY", "NAME", "ALLOWS", "NETWORK", "ENDS", "LAST USED"),
        rows=rows,
        nothing="No keys. Make one: hanami key create KEY --allow learn",
    )


@app.command()
def get(
    key: KeyArgument,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Show one key, without its secret.

    Example:
        hanami key get pump-7
    """
    with open_client(url, project) as client:
        found = client.api_keys.get(key)
    print_message(found, as_data=json, rows=_fields(found))


@app.command()
def delete(
    key: KeyArgument,
    yes: options.Yes = False,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Delete a key: the device is shut out at once.

    Example:
        hanami key delete pump-7 --yes
    """
    if not yes:
        typer.confirm(f"Delete the key {key}?", abort=True, err=True)
    with open_client(url, project) as client:
        client.api_keys.delete(key)
    if json:
        print_json({"deleted": key})
    else:
        print(f"Deleted {key}.")


def _fields(key: ApiKey) -> list[tuple[str, str]]:
    return [
        ("Key", key.name),
        ("Name", key.display_name),
        ("Allows", _actions(key)),
        ("Network", key.network or "all of the project"),
        ("Creator", key.creator),
        ("Created", moment_text(key.create_time)),
        ("Ends", moment_text(key.expire_time) if key.HasField("expire_time") else "never"),
        ("Last used", moment_text(key.last_use_time) if key.HasField("last_use_time") else ""),
    ]


def _actions(key: ApiKey) -> str:
    from hanami.misaki.v1.api_key_service_pb2 import KeyAction

    names = (KeyAction.Name(action) for action in key.actions)
    return ", ".join(name.removeprefix("KEY_ACTION_").lower() for name in names)
