"""Structures are checked, and laid out as their positions say."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kyouko.domain.engine import (
    EngineInputError,
    EngineOptions,
    InputPopulation,
    NetworkStructure,
    OutputPopulation,
    Population,
    Reach,
    ReachKind,
    TaskKind,
    create_engine,
)
from kyouko.domain.engine.growing.topology import choose_block_width, lay_out, locate_channels
from tests.reference.structures import flat

SPACE = NetworkStructure(
    inputs=(
        InputPopulation("cube", 8, (2, 2, 2), (0.0, 0.0, 0.0), spacing=2.0),
        InputPopulation("line", 3, (3, 1, 1), (0.0, 10.0, 0.0)),
    ),
    populations=(
        Population("all", (0.0, 0.0, 0.0), 8),
        Population("line only", (0.0, 0.0, 0.0), 8, inputs=("line",)),
        Population("window", (0.0, 0.0, 0.0), 8, (), Reach(ReachKind.WINDOW, (0.5, 4.0, 4.0))),
        Population("ball", (2.0, 0.0, 0.0), 8, (), Reach(ReachKind.RADIUS, radius=2.0)),
    ),
    output=OutputPopulation("label", TaskKind.CLASSES),
)


def test_channels_lie_on_their_grid() -> None:
    """Channel c of a population is at x = c % nx, y = c // nx % ny, z = c // (nx * ny)."""
    places = locate_channels(SPACE)

    assert [2.0, 0.0, 2.0] == places[5].tolist()
    assert [2.0, 10.0, 0.0] == places[10].tolist()


def test_reach_selects_channels() -> None:
    """All, named inputs, a box and a ball reach exactly the channels inside."""
    topology = lay_out(SPACE)

    channels = np.repeat(np.arange(11), np.diff(topology.reach_first))
    reached = [channels[topology.reach_block == block].tolist() for block in range(4)]
    assert list(range(11)) == reached[0]
    assert [8, 9, 10] == reached[1]
    assert [0, 2, 4, 6] == reached[2]
    assert [0, 1, 3, 5] == reached[3]


@pytest.mark.parametrize(
    ("neurons", "width"), [((128,), 128), ((32, 32, 32), 32), ((300,), 152), ((5,), 8)]
)
def test_block_width(neurons: tuple[int, ...], width: int) -> None:
    """Blocks are as wide as the populations allow without much padding."""
    populations = tuple(
        Population(str(place), (0.0, 0.0, 0.0), count) for place, count in enumerate(neurons)
    )

    assert width == choose_block_width(populations)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"inputs": ()}, "inputs"),
        ({"populations": ()}, "populations"),
        ({"populations": SPACE.populations[:1] * 2}, "populations[1].name"),
        ({"inputs": (InputPopulation("a", 3, (2, 1, 1), (0.0, 0.0, 0.0)),)}, "inputs[0].extent"),
        ({"output": OutputPopulation("o", TaskKind.NUMBERS, 0)}, "outputs[0].size"),
        ({"options": EngineOptions(max_outputs=0)}, "options.max_labels"),
        ({"options": EngineOptions(memory_limit_bytes=1000)}, "options.memory_limit_bytes"),
        (
            {"populations": (Population("p", (0.0, 0.0, 0.0), 8, inputs=("nobody",)),)},
            "populations[0].reach.inputs[0]",
        ),
        (
            {"populations": (Population("p", (0.0, 0.0, 0.0), 8, (), Reach(ReachKind.RADIUS)),)},
            "populations[0].reach.radius",
        ),
    ],
)
def test_bad_structures_are_refused(change: dict[str, Any], field: str) -> None:
    """A structure that cannot be built names the field that is wrong."""
    with pytest.raises(EngineInputError) as refused:
        create_engine(replace(SPACE, **change))

    assert field == refused.value.field


def test_neurons_that_reach_nothing_are_harmless() -> None:
    """A population out of reach of every channel learns without inputs."""
    far = Population("far", (99.0, 0.0, 0.0), 8, (), Reach(ReachKind.RADIUS, radius=1.0))
    engine = create_engine(replace(flat(2), populations=(far,)))

    assert (4, 0) == engine.predict(np.zeros((4, 2), np.float32)).shape
