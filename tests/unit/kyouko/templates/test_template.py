"""Templates as domain objects: closing what is open, and bounds on what may be asked."""

from dataclasses import replace

import numpy as np
import pytest

from kyouko.domain.engine import (
    EngineOptions,
    OutputPopulation,
    Population,
    Reach,
    ReachKind,
    TaskKind,
)
from kyouko.domain.engine.growing.topology import lay_out
from kyouko.domain.template import NetworkTemplate, TemplateInput, check, resolve
from kyouko.templates import shipped_templates
from mesh.errors import InvalidArgument

FLAT = NetworkTemplate(
    inputs=(TemplateInput("row"),),
    populations=(Population("all", (0.0, 0.0, 0.0), 16),),
    outputs=(OutputPopulation("label", TaskKind.CLASSES),),
)


def test_open_channels_are_closed_as_a_line() -> None:
    """The given number of channels lies along x."""
    structure = resolve(FLAT, channels=5)

    assert (5, (5, 1, 1)) == (structure.channels, structure.inputs[0].shape)


def test_a_seed_overrides_that_of_the_template() -> None:
    """Without one the template's stays."""
    assert 9 == resolve(FLAT, channels=5, seed=9).options.seed
    assert 1 == resolve(FLAT, channels=5).options.seed
    assert 0 == resolve(FLAT, channels=5, seed=0).options.seed


def test_closed_channels_may_be_repeated_and_not_changed() -> None:
    """The number that the template has anyway is no mistake; another one is."""
    closed = replace(FLAT, inputs=(TemplateInput("row", 5),))

    assert 5 == resolve(closed, channels=5).channels
    with pytest.raises(InvalidArgument) as refused:
        resolve(closed, channels=6)
    assert ("5", "6") == (refused.value.metadata["expected"], refused.value.metadata["actual"])


def test_only_one_input_may_be_open() -> None:
    """Two open inputs leave unsaid how the channels are shared out."""
    with pytest.raises(InvalidArgument) as refused:
        check(replace(FLAT, inputs=(TemplateInput("one"), TemplateInput("two"))))

    assert "inputs[1].channels" == refused.value.metadata["field"]


def test_reach_is_checked_once_channels_are_known() -> None:
    """A population beside an open input is fine until the number of channels is given."""
    far = Population("far", (50.0, 0.0, 0.0), 4, (), Reach(ReachKind.WINDOW, (3.0, 1.0, 1.0)))
    template = replace(FLAT, populations=(far,))

    check(template)

    assert 51 == resolve(template, channels=51).channels
    with pytest.raises(InvalidArgument) as refused:
        resolve(template, channels=5)
    assert "populations[0].reach.window" == refused.value.metadata["field"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"outputs": ()}, "outputs"),
        ({"outputs": FLAT.outputs * 2}, "outputs"),
        ({"populations": ()}, "populations"),
        ({"inputs": ()}, "inputs"),
        ({"outputs": (OutputPopulation("x", TaskKind.CLASSES, 3),)}, "outputs[0].size"),
        ({"outputs": (OutputPopulation("x", TaskKind.NUMBERS, 0),)}, "outputs[0].size"),
        ({"inputs": (TemplateInput("x", 7, (2, 2, 2)),)}, "inputs[0].extent"),
        ({"inputs": (TemplateInput("x", 7, None, (float("nan"), 0, 0)),)}, "inputs[0].position"),
        ({"options": EngineOptions(max_outputs=1)}, "options.max_labels"),
        ({"options": EngineOptions(memory_limit_bytes=1)}, "options.memory_limit_bytes"),
        ({"populations": (Population("p", (0.0, 0.0, 0.0), 1, ("x",) * 65537),)}, "populations"),
        (
            {
                "inputs": (TemplateInput("x", 2**20),),
                "populations": tuple(
                    Population(f"p{index}", (0.0, 0.0, 0.0), 1) for index in range(4096)
                ),
            },
            "populations",
        ),
    ],
)
def test_absurd_structures_are_refused_before_they_are_laid_out(
    change: dict[str, object], field: str
) -> None:
    """Each impossible structure is refused with the path of its field, and quickly."""
    with pytest.raises(InvalidArgument) as refused:
        check(replace(FLAT, **change))  # type: ignore[arg-type]

    assert field in [violation.field for violation in refused.value.violations]


def test_a_mistake_is_told_in_few_words_however_many_there_are() -> None:
    """Unknown names do not each repeat all the names there are."""
    inputs = tuple(TemplateInput(f"input-{index}", 1) for index in range(256))
    wrong = Population("p", (0.0, 0.0, 0.0), 1, ("unknown" * 1000,) * 1000)

    with pytest.raises(InvalidArgument) as refused:
        check(replace(FLAT, inputs=inputs, populations=(wrong,)))

    assert "1000" == refused.value.metadata["problems"]
    assert all(len(violation.description) < 500 for violation in refused.value.violations)


def test_the_grid_covers_every_pixel_with_equal_windows() -> None:
    """Sixteen populations see 144 pixels each, and together all 784."""
    structure = resolve(shipped_templates()["grid"].template)

    topology = lay_out(structure)

    assert [144] * 16 == topology.block_edges.tolist()
    assert np.all(np.diff(topology.reach_first) >= 1)
