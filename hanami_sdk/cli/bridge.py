"""`hanami bridge`: messages of MQTT and NATS into networks."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hanami_sdk.cli import options
from hanami_sdk.cli.clients import resolve_url
from hanami_sdk.cli.failures import EXIT_FAILURE, EXIT_USAGE, CommandFailure
from hanami_sdk.cli.output import note, print_json_line
from hanami_sdk.surroundings import local_state

if TYPE_CHECKING:
    from hanami_sdk.bridge.configuration import Configuration
    from hanami_sdk.bridge.feeding import Feed


def bridge(
    config: Annotated[Path, typer.Option("--config", "-c", help="What feeds what: a YAML file.")],
    every: Annotated[float, typer.Option("--every", help="Seconds between reports.")] = 10.0,
    project: options.Project = "",
    url: options.Url = None,
    json: options.Json = False,
) -> None:
    """Feed networks from MQTT and NATS, each message learned exactly once.

    A message is acknowledged to its broker when no crash can take what was learned from
    it. What a broker delivers again after a break or a kill is known by its id and not
    learned again. Ctrl-C takes no more messages, acknowledges the last, and ends.

    Needs the packages of hanami[bridge]. docs/sensors.md explains every field of the file.

    Example:
        networks:
          - network: pumps
            inputs: [speed, motor.temperature]
            label: state
            sources:
              - mqtt: {host: broker, topics: ["pumps/+"], client_id: hanami-pumps}

        hanami bridge --config bridge.yaml --project plant
    """
    from hanami_sdk.bridge.configuration import load
    from hanami_sdk.bridge.errors import BridgeError

    try:
        asyncio.run(_run(load(config), url, project, every, as_data=json))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except (BridgeError, BaseExceptionGroup) as error:
        raise _worded(error) from None


def _worded(error: BaseException) -> BaseException:
    """Return what to tell of the first of several failures."""
    from hanami_sdk.bridge.errors import BridgeError, ConfigurationInvalid

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, BridgeError):
        return error
    code = EXIT_USAGE if isinstance(error, ConfigurationInvalid) else EXIT_FAILURE
    return CommandFailure(error.sentence, hint=error.hint, exit_code=code)


async def _run(
    configuration: Configuration, url: str | None, project: str, every: float, *, as_data: bool
) -> None:
    from hanami_sdk.async_client import AsyncClient
    from hanami_sdk.bridge.running import Bridge
    from hanami_sdk.local.home import MeshHome

    place = resolve_url(url or configuration.url or None, local_state())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    whole = asyncio.current_task()

    def end() -> None:
        if stop.is_set() and whole is not None:
            whole.cancel()
            return
        note("Ending: no more messages are taken. Again to end at once.")
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    async with AsyncClient(place, project=project or configuration.project) as client:
        state = configuration.state or MeshHome.default().root / "bridge"
        await Bridge(
            configuration, client, state, note, lambda feeds: _show(feeds, as_data), every
        ).run(stop)


def _show(feeds: list[Feed], as_data: bool) -> None:
    for feed in feeds:
        counts = feed.counts
        if as_data:
            print_json_line(
                {
                    "network": feed.route.network,
                    **vars(counts),
                    "under_way": feed.under_way,
                    "learned_rows": feed.stream.learned_rows,
                    "kept_rows": feed.stream.kept_rows,
                    "breaks": feed.stream.breaks,
                }
            )
            continue
        facts = [
            f"{counts.learned:,} messages learned and durable",
            f"{feed.under_way:,} under way",
        ]
        for count, words in (
            (counts.known + counts.again, "delivered again and known"),
            (counts.unreadable, "unreadable"),
            (counts.refused, "refused"),
            (feed.stream.breaks, "breaks"),
        ):
            if count:
                facts.append(f"{count:,} {words}")
        note(f"{feed.route.network}: {', '.join(facts)}")
