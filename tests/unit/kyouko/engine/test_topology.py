"""Falloff, lists of channels, hidden sources and long connections become edges."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kyouko.domain.engine import (
    Connection,
    EngineOptions,
    EngineStructureError,
    InputPopulation,
    NetworkStructure,
    OutputPopulation,
    Population,
    Reach,
    ReachKind,
    Spiking,
    TaskKind,
    create_engine,
)
from kyouko.domain.engine.growing.topology import Topology, lay_out

ORIGIN = (0.0, 0.0, 0.0)
LINE = NetworkStructure(
    inputs=(InputPopulation("line", 400, (400, 1, 1), ORIGIN),),
    populations=(
        Population("first", ORIGIN, 8),
        Population("second", (0.0, 0.0, 1.0), 12),
        Population("third", (0.0, 0.0, 5.0), 8),
    ),
    output=OutputPopulation("label", TaskKind.CLASSES),
)


def changed(place: int, **changes: Any) -> NetworkStructure:
    """LINE with one population changed."""
    populations = list(LINE.populations)
    populations[place] = replace(populations[place], **changes)
    return replace(LINE, populations=tuple(populations))


def channels_of(topology: Topology, block: int) -> list[int]:
    """List the channels that lead to a block."""
    channels = np.repeat(np.arange(len(topology.reach_first) - 1), np.diff(topology.reach_first))
    return channels[topology.reach_block == block].tolist()


def sources_of(topology: Topology, block: int) -> list[int]:
    """List the hidden neurons that lead to a block."""
    first, stop = topology.inner_first[block : block + 2]
    return topology.inner_source[first:stop].tolist()


def test_falloff_is_a_chance() -> None:
    """The share of reached channels falls with the square of the distance as declared."""
    many = tuple(
        Population(f"p{place}", ORIGIN, 8, (), Reach(falloff=100.0)) for place in range(200)
    )

    topology = lay_out(replace(LINE, populations=many))

    share = np.diff(topology.reach_first) / len(many)
    expected = np.exp(-((np.arange(400) / 100.0) ** 2))
    assert 1.0 == share[0]
    assert np.abs(share - expected).max() < 0.15
    assert abs(float((share - expected).mean())) < 0.005


def test_falloff_stays_inside_the_reach() -> None:
    """Beyond the radius nothing is reached, however slowly the chance falls."""
    topology = lay_out(changed(0, reach=Reach(ReachKind.RADIUS, radius=20.0, falloff=1e6)))

    assert list(range(21)) == channels_of(topology, 0)


def test_chances_follow_the_seed() -> None:
    """The same seed draws the same connections, another seed others."""
    structure = changed(0, reach=Reach(falloff=100.0))
    other = replace(structure, options=EngineOptions(seed=2))

    drawn = [channels_of(lay_out(item), 0) for item in (structure, structure, other)]

    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_new_channels_leave_old_edges_alone() -> None:
    """Channels added at run time draw their own edges; those of the old ones stay."""
    structure = replace(
        changed(0, reach=Reach(falloff=300.0), neurons=24),
        connections=(Connection("line", "second", 0.5),),
    )
    more = InputPopulation("more", 300, (300, 1, 1), ORIGIN)

    old, new = (
        lay_out(structure),
        lay_out(replace(structure, inputs=(*structure.inputs, more))),
    )

    edges = old.reach_first[-1]
    assert np.array_equal(old.reach_first, new.reach_first[:401])
    assert np.array_equal(old.reach_block, new.reach_block[:edges])
    assert 0 < len([channel for channel in channels_of(new, 0) if channel >= 400]) < 300


def test_channels_can_be_listed() -> None:
    """A list reaches exactly its channels."""
    topology = lay_out(changed(0, reach=Reach(ReachKind.CHANNELS, channels=(3, 7, 399))))

    assert [3, 7, 399] == channels_of(topology, 0)


def test_hidden_populations_are_sources() -> None:
    """A population reaches the neurons in use of the hidden ones that it names, and no others."""
    topology = lay_out(changed(2, inputs=("first", "second")))
    width = topology.block_width
    second = [width + neuron for neuron in range(12)] if width > 8 else list(range(8, 20))

    assert [] == sources_of(topology, 0)
    last = len(topology.block_neurons) - 1
    assert [*range(8), *second] == sources_of(topology, last)
    assert [] == channels_of(topology, last)


def test_hidden_sources_lie_inside_the_reach() -> None:
    """Hidden populations outside of the window are not reached, channels inside are."""
    reach = Reach(ReachKind.WINDOW, window=(2.0, 0.0, 8.5))

    topology = lay_out(changed(2, inputs=("line", "first", "second"), reach=reach))

    last = len(topology.block_neurons) - 1
    second = 8 if topology.block_width == 8 else topology.block_width
    assert list(range(second, second + 12)) == sources_of(topology, last)
    assert [] == channels_of(topology, last)


def test_long_connections_ignore_distance() -> None:
    """A long connection reaches what lies outside of the window, with the chance it declares."""
    near = Reach(ReachKind.WINDOW, window=(10.0, 0.0, 0.0))
    structure = replace(changed(0, reach=near), connections=(Connection("line", "first", 0.25),))

    reached = channels_of(lay_out(structure), 0)

    assert [0, 1, 2, 3, 4, 5] == reached[:6]
    assert 70 <= len(reached) <= 130


def test_long_connections_between_hidden_populations() -> None:
    """A long connection may start at a hidden population declared before its target."""
    structure = replace(LINE, connections=(Connection("first", "third"),))

    topology = lay_out(structure)

    assert list(range(8)) == sources_of(topology, len(topology.block_neurons) - 1)


@pytest.mark.parametrize(
    ("structure", "field"),
    [
        (changed(0, inputs=("second",)), "populations[0].reach.inputs[0]"),
        (changed(0, inputs=("first",)), "populations[0].reach.inputs[0]"),
        (changed(0, inputs=("nobody",)), "populations[0].reach.inputs[0]"),
        (changed(0, name="line"), "populations[0].name"),
        (changed(0, reach=Reach(falloff=0.0)), "populations[0].reach.falloff"),
        (changed(0, reach=Reach(falloff=float("nan"))), "populations[0].reach.falloff"),
        (changed(0, reach=Reach(ReachKind.CHANNELS)), "populations[0].reach.channels"),
        (
            changed(0, reach=Reach(ReachKind.CHANNELS, channels=(1, 400))),
            "populations[0].reach.channels",
        ),
        (
            changed(0, reach=Reach(ReachKind.CHANNELS, channels=(2, 1))),
            "populations[0].reach.channels",
        ),
        (changed(1, spiking=Spiking(leak=1.0)), "populations[1].spiking.leak"),
        (changed(1, spiking=Spiking(cooldown=-0.1)), "populations[1].spiking.cooldown"),
        (changed(1, spiking=Spiking(refractory=-1)), "populations[1].spiking.refractory"),
        (
            replace(LINE, connections=(Connection("line", "nobody"),)),
            "connections[0].target",
        ),
        (replace(LINE, connections=(Connection("line", "line"),)), "connections[0].target"),
        (
            replace(LINE, connections=(Connection("third", "second"),)),
            "connections[0].source",
        ),
        (
            replace(LINE, connections=(Connection("line", "first", 0.0),)),
            "connections[0].chance",
        ),
        (
            replace(LINE, connections=(Connection("line", "first", 1.5),)),
            "connections[0].chance",
        ),
        (
            replace(LINE, inputs=(replace(LINE.inputs[0], delays=(2, 2)),)),
            "inputs[0].delays",
        ),
    ],
)
def test_bad_structures_are_refused(structure: NetworkStructure, field: str) -> None:
    """Circles, unknown names and numbers out of range name the field that is wrong."""
    with pytest.raises(EngineStructureError) as refused:
        create_engine(structure)

    assert field == refused.value.field
