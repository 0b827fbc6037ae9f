"""Pages of large networks."""

from dataclasses import replace

from hanami.kyouko.v1 import network_service_pb2 as pb

from kyouko.convert.networks import network_message
from kyouko.domain.engine import InputPopulation, Population
from kyouko.domain.networks.labels import LONGEST_LABEL
from kyouko.domain.template import limits
from kyouko.servicers.networks import bounded
from mesh.pages import page_request
from mesh.settings import MeshSettings
from tests.contract.kyouko.builders import STRUCTURE, network

LARGE = pb.Network(name="projects/p/networks/n", labels=["x" * 100])


def test_a_page_of_large_networks_has_fewer_of_them() -> None:
    """As many as fit, one more to know that the listing goes on, and at least one."""
    asked = page_request(10, "", listing="networks")

    some, kept = bounded(asked, [LARGE] * 11, limit_bytes=3 * LARGE.ByteSize())
    one, alone = bounded(asked, [LARGE] * 11, limit_bytes=1)
    every, whole = bounded(asked, [LARGE] * 5, limit_bytes=10**6)

    assert (3, 4) == (some.limit, len(kept))
    assert (1, 2) == (one.limit, len(alone))
    assert (10, 5) == (every.limit, len(whole))


def test_the_largest_network_fits_into_a_message() -> None:
    """With the longest labels and names there may be, alone or on a page of its kind."""
    names = [f"i{index:062}" for index in range(16)]
    population = Population("p" * 63, (0.5, 0.5, 0.5), 1, tuple(names))
    largest = replace(
        network(),
        structure=replace(
            STRUCTURE,
            inputs=tuple(
                InputPopulation(f"i{index:062}", 1, (1, 1, 1), (0.5, 0.5, 0.5))
                for index in range(limits.MOST_INPUTS)
            ),
            populations=(population,) * limits.MOST_POPULATIONS,
        ),
        labels=(chr(0x1F33C) * LONGEST_LABEL,) * limits.MOST_LABELS,
    )

    size = network_message(largest).ByteSize()

    assert len(names) * limits.MOST_POPULATIONS == limits.MOST_REACH_NAMES
    assert size < MeshSettings.model_fields["max_message_bytes"].default * 3 // 4
