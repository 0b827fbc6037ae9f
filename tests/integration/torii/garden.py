"""A door with a real network behind it."""

from dataclasses import dataclass

from tests.integration.kyouko.servers import RunningKyouko
from tests.integration.meshes import Metadata
from tests.integration.torii.doors import RunningTorii


@dataclass(frozen=True)
class Garden:
    """A network of four channels, and the door to it."""

    torii: RunningTorii
    kyouko: RunningKyouko


def token_of(metadata: Metadata) -> str:
    """Return the token in call metadata."""
    return metadata[0][1].removeprefix("Bearer ")
