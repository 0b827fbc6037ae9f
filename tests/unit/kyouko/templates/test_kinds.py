"""What only some kinds of networks have: in YAML, in messages, and where it is refused."""

from dataclasses import replace
from typing import Any

import pytest

from kyouko.convert.templates import network_template_message, network_template_of
from kyouko.domain.engine import (
    Activation,
    Connection,
    Device,
    NetworkKind,
    Optimizer,
    Organisation,
    OutputPopulation,
    Population,
    Reach,
    Spiking,
    TaskKind,
)
from kyouko.domain.template import NetworkTemplate, TemplateInput, problems_of, resolve
from kyouko.storage.documents import structure_document, structure_in
from kyouko.templates import read_template, shipped_templates
from mesh.errors import InvalidArgument

GROWING = """\
kind: growing
inputs:
  - {name: sound, channels: 2, delays: [1, 2, 8]}
  - {name: light, channels: 3}
populations:
  - {name: ear, neurons: 8, reach: {inputs: [sound], falloff: 2.5}}
  - {name: eye, neurons: 8, reach: {inputs: [light], window: [9, 1, 1]}}
  - {name: both, neurons: 4, reach: {inputs: [ear, eye, light]}}
  - {name: beat, neurons: 4, spiking: {leak: 0.75, cooldown: 0.5, refractory: 2}}
connections:
  - {source: sound, target: both}
  - {source: ear, target: beat, chance: 0.25}
organisation: {populations: 2, neurons: 8, channels: 3, at_row: 100}
outputs:
  - {name: state, kind: classes}
options: {rehearsal_rows: 2000, rehearsal_steps: 3, experts: false}
"""
STATIC = """\
kind: static
inputs:
  - {name: row, channels: 4}
populations:
  - {name: first, neurons: 8, activation: tanh}
  - {name: second, neurons: 8, activation: sigmoid}
outputs:
  - {name: value, kind: numbers}
options: {optimizer: adam, learning_rate: 0.5, device: gpu}
"""


def test_every_field_of_a_growing_network_is_read() -> None:
    """Delays, inner reaches, falloff, spiking, long connections, organisation, rehearsal."""
    template = read_template(GROWING)

    ear, eye, both, beat = template.populations
    assert ((1, 2, 8), ()) == (template.inputs[0].delays, template.inputs[1].delays)
    assert (2.5, None) == (ear.reach.falloff, eye.reach.falloff)
    assert ("ear", "eye", "light") == both.inputs
    assert (None, Spiking(0.75, 0.5, 2)) == (both.spiking, beat.spiking)
    assert (
        Connection("sound", "both"),
        Connection("ear", "beat", 0.25),
    ) == template.connections
    assert Organisation(2, 8, 3, 100) == template.organisation
    options = template.options
    assert (2000, 3.0, False) == (
        options.rehearsal_rows,
        options.rehearsal_steps,
        options.experts,
    )


def test_every_field_of_a_static_network_is_read() -> None:
    """Layers with their activations, optimizer, rate and device."""
    template = read_template(STATIC)

    assert NetworkKind.STATIC is template.kind
    assert [Activation.TANH, Activation.SIGMOID] == [
        item.activation for item in template.populations
    ]
    options = template.options
    assert (Optimizer.ADAM, 0.5, Device.GPU) == (
        options.optimizer,
        options.learning_rate,
        options.device,
    )


@pytest.mark.parametrize(
    "text", [GROWING, STATIC, *(item.yaml for item in shipped_templates().values())]
)
def test_a_template_survives_the_wire(text: str) -> None:
    """To the domain and back, the message is the same."""
    message = network_template_message(read_template(text))

    found = network_template_message(network_template_of(message))

    assert message == found


@pytest.mark.parametrize("text", [GROWING, STATIC])
def test_a_structure_survives_its_table(text: str) -> None:
    """As a JSON document and back it is the same, enumerations and all."""
    structure = resolve(read_template(text))

    assert structure == structure_in(structure_document(structure))


@pytest.mark.parametrize(
    ("text", "old", "new", "field", "says"),
    [
        (GROWING, "[1, 2, 8]", "[2, 1]", "inputs[0].delays", "ascend"),
        (GROWING, "[1, 2, 8]", "[0]", "inputs[0].delays[0]", "outside 1 to"),
        (GROWING, "[1, 2, 8]", "[x]", "inputs[0].delays[0]", "whole number"),
        (GROWING, "falloff: 2.5", "falloff: 0", "populations[0].reach.falloff", "above 0"),
        (GROWING, "[ear, eye, light]", "[both]", "populations[2].reach.inputs[0]", "before"),
        (GROWING, "[ear, eye, light]", "[nose]", "populations[2].reach.inputs[0]", "no population"),
        (GROWING, "name: ear", "name: light", "populations[0].name", "name of an input"),
        (GROWING, "leak: 0.75", "leak: 1", "populations[3].spiking.leak", "below 1"),
        (
            GROWING,
            "refractory: 2",
            "refractory: -1",
            "populations[3].spiking.refractory",
            "outside",
        ),
        (GROWING, "target: both", "target: light", "connections[0].target", "no hidden"),
        (GROWING, "source: ear", "source: beat", "connections[1].source", "before"),
        (GROWING, "chance: 0.25", "chance: 0", "connections[1].chance", "above 0"),
        (GROWING, "at_row: 100", "at_row: 1", "organisation.at_row", "outside 64"),
        (GROWING, "experts: false", "experts: no", "options.experts", "true or false"),
        (GROWING, "rehearsal_steps: 3", "rehearsal_steps: 99", "options.rehearsal_steps", "16"),
        (GROWING, "experts: false", "optimizer: adam", "options.optimizer", "static"),
        (GROWING, "kind: growing", "kind: static", "populations[0].reach", "growing"),
        (STATIC, "kind: static", "kind: growing", "populations[0].activation", "static"),
        (STATIC, "learning_rate: 0.5", "learning_rate: 0", "options.learning_rate", "above 0"),
        (STATIC, "tanh", "tan", "populations[0].activation", "did you mean 'tanh'"),
        (STATIC, "device: gpu", "device: tpu", "options.device", "cpu, gpu"),
        (STATIC, "kind: static", "kind: fixed", "kind", "growing, static"),
    ],
)
def test_a_mistake_is_told_with_its_field(
    text: str, old: str, new: str, field: str, says: str
) -> None:
    """What does not go together, or does not exist, is refused where it stands."""
    assert old in text
    with pytest.raises(InvalidArgument) as refused:
        read_template(text.replace(old, new, 1))

    sentences = {item.field: item.description for item in refused.value.violations}
    assert says in sentences[field]


def _growing(**changes: Any) -> NetworkTemplate:
    """Return four inputs of four channels, and 1,024 populations of eight neurons."""
    template = NetworkTemplate(
        inputs=tuple(TemplateInput(f"in{place}", channels=4) for place in range(4)),
        populations=tuple(Population(f"p{place}", (0.0, 0.0, 0.0), 8) for place in range(1024)),
        outputs=(OutputPopulation("out", TaskKind.CLASSES),),
    )
    return replace(template, **changes)


def _hazy(template: NetworkTemplate) -> tuple[Population, ...]:
    reach = Reach(falloff=2.0)
    return tuple(replace(item, reach=reach) for item in template.populations)


def test_what_is_drawn_pair_by_pair_is_bounded() -> None:
    """Delays with a falloff make pairs to be drawn: too many are refused before any is."""
    few, many = tuple(range(1, 31)), tuple(range(1, 34))
    template = _growing(populations=_hazy(_growing()))

    def delayed(delays: tuple[int, ...]) -> NetworkTemplate:
        return replace(
            template, inputs=tuple(replace(item, delays=delays) for item in template.inputs)
        )

    assert [] == list(problems_of(delayed(few)))
    assert ["populations"] == [problem.path for problem in problems_of(delayed(many))]


def test_populations_that_will_be_found_count_for_the_layout() -> None:
    """Populations that a network finds by itself must be laid out as well: not too many."""
    inputs = (TemplateInput("in", channels=1 << 16),)
    template = _growing(inputs=inputs, populations=_growing().populations[:1])
    small, large = Organisation(populations=16), Organisation(populations=4096)

    found = [
        [problem.path for problem in problems_of(replace(template, organisation=item))]
        for item in (small, large)
    ]

    assert [[], ["populations"]] == found


def test_a_source_is_told_without_a_list_of_thousands() -> None:
    """Of the populations that there are, a problem names the first ones."""
    wrong = (Connection("nobody", "p1023"), Connection("p1023", "p1"), Connection("p1", "in0"))

    problems = list(problems_of(_growing(connections=wrong)))

    assert ["connections[0].source", "connections[1].source", "connections[2].target"] == [
        problem.path for problem in problems
    ]
    assert problems[0].text.endswith("p15 and others")
    assert "declared before" in problems[1].text
    assert "no hidden population 'in0'" in problems[2].text
