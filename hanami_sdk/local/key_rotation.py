"""Replaces the key that a local mesh encrypts its data with."""

import subprocess
import sys
from dataclasses import dataclass

from hanami_sdk.local import starting
from hanami_sdk.local.components import KEEP_OBJECTS, storage_environment
from hanami_sdk.local.errors import KeyNotReplaced
from hanami_sdk.local.home import MeshHome
from hanami_sdk.local.lock import exclusive
from hanami_sdk.local.starting import Options
from hanami_sdk.local.state import EventKind, MeshState
from hanami_sdk.local.stopping import stop_components
from hanami_sdk.local.story import OnEvent, Story

__all__ = ["Rotation", "rotate_encryption_key"]

_PATIENCE_SECONDS = 3600


@dataclass(frozen=True)
class Rotation:
    """What was done; `reports` has a line for each service."""

    reports: tuple[str, ...]


def rotate_encryption_key(home: MeshHome, running: MeshState | None, on_event: OnEvent) -> Rotation:
    """Make a new key, bring everything under it, and forget the old one.

    shiori and kyouko stop meanwhile, if they run. The old key stays in the file until
    nothing needs it.

    Args:
        home: Its key must be its own, not one from the environment.
        running: What runs of it; None for nothing.
        on_event: Is told what happens.

    Raises:
        KeyNotReplaced: Something still needs the old key, or there is none to replace.
        LocalMeshError: As with `mesh.restart`.
    """
    home.create()
    story = Story(on_event)
    with exclusive(home):
        if str(home.encryption_key_file) not in storage_environment("kyouko", home).values():
            raise KeyNotReplaced("the key comes from the environment", "Replace it where it is.")
        home.ensure_encryption_key()
        new = home.add_encryption_key()
        reports = _with_services_stopped(home, running, story)
        home.keep_encryption_key(new)
    return Rotation(reports)


def _with_services_stopped(
    home: MeshHome, running: MeshState | None, story: Story
) -> tuple[str, ...]:
    """Bring everything under the new key; what ran before runs again afterwards."""
    components = running.components if running is not None else ()
    stopped = stop_components(home, [c for c in components if c.name in KEEP_OBJECTS], story)
    try:
        return tuple(_rewrap(service, home, story) for service in KEEP_OBJECTS)
    finally:
        if running is not None and stopped:
            starting.bring_up(home, Options.of(running), running, stopped, story)


def _rewrap(service: str, home: MeshHome, story: Story) -> str:
    story.tell(EventKind.STARTING, service, f"{service} brings its data under the new key")
    done = subprocess.run(
        [sys.executable, "-P", "-m", f"{service}.rewrap"],
        env=storage_environment(service, home),
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        problem = done.stderr.strip() or f"exit code {done.returncode}"
        raise KeyNotReplaced(problem, "Both keys are kept. Try again: hanami rotate-key.")
    return done.stdout.strip()
