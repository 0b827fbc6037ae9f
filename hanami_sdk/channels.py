"""How many values a row of a network has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hanami.kyouko.v1.network_service_pb2 import Network


def row_channels(network: Network) -> int:
    """Return how many values a row has before a pipeline adds others."""
    if network.statistics.HasField("pipeline"):
        return network.statistics.pipeline.channels
    return sum(population.channels for population in network.structure.inputs)
