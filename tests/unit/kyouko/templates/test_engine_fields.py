"""Templates and engine name what is wrong alike, so that users find it in what they wrote."""

from dataclasses import replace
from typing import Any

import pytest

from kyouko.domain.engine import (
    Connection,
    EngineOptions,
    EngineStructureError,
    NetworkKind,
    Organisation,
    OutputPopulation,
    Population,
    Reach,
    ReachKind,
    Spiking,
    TaskKind,
    create_engine,
)
from kyouko.domain.template.problems import problems_of
from kyouko.domain.template.template import NetworkTemplate, TemplateInput, structure_of

HERE = (0.0, 0.0, 0.0)
NOWHERE = (0.0, float("nan"), 0.0)
GOOD = NetworkTemplate(
    inputs=(TemplateInput("first", 3), TemplateInput("second", 2)),
    populations=(Population("near", HERE, 8), Population("far", HERE, 8)),
    outputs=(OutputPopulation("class", TaskKind.CLASSES),),
)


def with_population(**change: Any) -> dict[str, Any]:
    """Change the second population."""
    near, far = GOOD.populations
    return {"populations": (near, replace(far, **change))}


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": ()},
        {"inputs": (TemplateInput("first", 3), TemplateInput("first", 2))},
        {"inputs": (TemplateInput("first", 3), TemplateInput("second", 0))},
        {"inputs": (TemplateInput("first", 3, (2, 1, 1)),)},
        {"inputs": (TemplateInput("first", 3, position=NOWHERE),)},
        {"inputs": (TemplateInput("first", 3, delays=(2, 1)),)},
        {"populations": ()},
        with_population(name="near"),
        with_population(name="first"),
        with_population(neurons=0),
        with_population(position=NOWHERE),
        with_population(spiking=Spiking(leak=1.0)),
        with_population(spiking=Spiking(cooldown=-1.0)),
        with_population(spiking=Spiking(refractory=-1)),
        with_population(reach=Reach(ReachKind.WINDOW, window=(1.0, -1.0, 1.0))),
        with_population(reach=Reach(ReachKind.RADIUS, radius=-1.0)),
        with_population(reach=Reach(falloff=0.0)),
        {"connections": (Connection("first", "nobody"),)},
        {"connections": (Connection("first", "far", 0.0),)},
        {"connections": (Connection("nobody", "far"),)},
        {"organisation": Organisation(neurons=0)},
        {"organisation": Organisation(at_row=0)},
        {"outputs": (OutputPopulation("numbers", TaskKind.NUMBERS, 0),)},
        {"options": EngineOptions(max_outputs=0)},
        {"options": EngineOptions(rehearsal_rows=-1)},
        {"options": EngineOptions(rehearsal_steps=17.0)},
        {"kind": NetworkKind.STATIC, **with_population(spiking=Spiking())},
        {"kind": NetworkKind.STATIC, "connections": (Connection("first", "far"),)},
        {"kind": NetworkKind.STATIC, "options": EngineOptions(experts=True)},
    ],
)
def test_the_same_field_is_named(change: dict[str, Any]) -> None:
    """What both refuse has one path."""
    template = replace(GOOD, **change)

    problems = [problem.path for problem in problems_of(template)]
    with pytest.raises(EngineStructureError) as refused:
        create_engine(structure_of(template))

    assert refused.value.field in problems


@pytest.mark.parametrize("name", ["nobody", "far"])
def test_sources_have_places_in_the_template(name: str) -> None:
    """A source that cannot be is named with its place in the list."""
    template = replace(GOOD, **with_population(inputs=("first", name)))

    problems = [problem.path for problem in problems_of(template)]
    with pytest.raises(EngineStructureError) as refused:
        create_engine(structure_of(template))

    assert ["populations[1].reach.inputs[1]"] == problems
    assert "populations[1].reach.inputs[1]" == refused.value.field
