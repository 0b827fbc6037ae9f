"""Stops components: those that work for users first, those they lean on afterwards."""

from collections.abc import Sequence

from hanami_sdk.local import processes
from hanami_sdk.local.errors import HalfStopped
from hanami_sdk.local.home import MeshHome
from hanami_sdk.local.interrupts import second_ends
from hanami_sdk.local.state import ComponentState, EventKind
from hanami_sdk.local.story import Story

__all__ = ["stop_components"]

# kyouko ends streams and takes snapshots before anything it needs for that is gone.
_ORDER = (("kyouko", "torii", "azuki"), ("shiori", "misaki", "envoy"))
# A service gives running calls ten seconds, and then still has to write.
_PATIENCE_SECONDS = 30.0


def stop_components(
    home: MeshHome, components: Sequence[ComponentState], story: Story
) -> tuple[str, ...]:
    """Stop those that run; returns their names. Ctrl-C ends it only the second time.

    Raises:
        HalfStopped: it was ended before all had stopped.
    """

    def go_on() -> None:
        story.tell(
            EventKind.STOPPING, "", "stopping goes on to its end; Ctrl-C again breaks it off"
        )

    def give_up() -> None:
        raise HalfStopped

    with second_ends(go_on, give_up):
        return _stop(home, components, story)


def _stop(home: MeshHome, components: Sequence[ComponentState], story: Story) -> tuple[str, ...]:
    stopped: list[str] = []
    for names in _ORDER:
        running = [
            component
            for component in components
            if component.name in names and processes.find(component.identity) is not None
        ]
        for component in running:
            story.tell(EventKind.STOPPING, component.name, f"{component.name} stops")
        processes.stop([c.identity for c in running], patience_seconds=_PATIENCE_SECONDS)
        for component in running:
            home.pid_file(component.name).unlink(missing_ok=True)
            story.tell(EventKind.STOPPED, component.name, f"{component.name} has stopped")
        stopped.extend(component.name for component in running)
    return tuple(stopped)
