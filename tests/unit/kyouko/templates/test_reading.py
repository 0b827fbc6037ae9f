"""Templates in YAML: what is read, and where a mistake is said to be."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyouko.domain.engine import ReachKind, TaskKind
from kyouko.domain.template import NetworkTemplate
from kyouko.templates import document, read_template, shipped_templates
from mesh.errors import InvalidArgument

GOOD = """\
description: an example
inputs:
  - name: picture
    extent: [3, 2, 1]
    position: [0, 0.5, -1e0]
  - name: rest
populations:
  - name: near
    neurons: 16
    position: [1, 1, 0]
    reach:
      inputs: [picture]
      window: [2, 2, 1]
  - {name: ball, neurons: 8, reach: {radius: 1.5}}
outputs:
  - name: value
    kind: numbers
    size: 3
options:
  seed: 7
  memory_limit_bytes: 2000000
  max_labels: 12
"""


def refusal(text: str) -> InvalidArgument:
    """Return the error of a template that is refused."""
    with pytest.raises(InvalidArgument) as refused:
        read_template(text)
    assert "TEMPLATE_INVALID" == refused.value.reason
    return refused.value


def place(error: InvalidArgument) -> tuple[int, int, str]:
    """Return line, column and field of the first mistake."""
    metadata = error.metadata
    return int(metadata["line"]), int(metadata["column"]), metadata["field"]


def test_every_field_is_read() -> None:
    """Names, places, reaches, outputs and options arrive as they were written."""
    template = read_template(GOOD)

    picture, rest = template.inputs
    near, ball = template.populations
    assert (6, (3, 2, 1), (0.0, 0.5, -1.0)) == (
        picture.known_channels,
        picture.extent,
        picture.position,
    )
    assert rest.known_channels is None
    assert (ReachKind.WINDOW, (2.0, 2.0, 1.0), ("picture",)) == (
        near.reach.kind,
        near.reach.window,
        near.inputs,
    )
    assert (ReachKind.RADIUS, 1.5, ()) == (ball.reach.kind, ball.reach.radius, ball.inputs)
    assert (TaskKind.NUMBERS, 3) == (template.outputs[0].kind, template.outputs[0].size)
    assert (7, 2_000_000, 12) == (
        template.options.seed,
        template.options.memory_limit_bytes,
        template.options.max_outputs,
    )


def test_what_is_left_out_has_its_default() -> None:
    """The shortest template makes classes, reaches everything and leaves its channels open."""
    template = read_template(
        "inputs: [{name: a}]\npopulations: [{name: b, neurons: 4}]\n"
        "outputs: [{name: c, kind: classes}]\n"
    )

    assert template.inputs[0].known_channels is None
    assert ReachKind.ALL is template.populations[0].reach.kind
    assert (1, 256 * 2**20, 256) == (
        template.options.seed,
        template.options.memory_limit_bytes,
        template.options.max_outputs,
    )


@pytest.mark.parametrize(
    ("old", "new", "expected", "says"),
    [
        ("neurons: 16", "neuronz: 16", (9, 5, "populations[0].neuronz"), "did you mean 'neurons'"),
        ("neurons: 16", "neurons: 1.5", (9, 14, "populations[0].neurons"), "whole number"),
        ("neurons: 16", "neurons: many", (9, 14, "populations[0].neurons"), "whole number"),
        ("neurons: 16", "neurons: 0", (9, 14, "populations[0].neurons"), "outside 1 to 65536"),
        ("neurons: 16", "neurons: '16'", (9, 14, "populations[0].neurons"), "whole number"),
        ("neurons: 16", "neurons: " + "9" * 99, (9, 14, "populations[0].neurons"), "digits"),
        ("    neurons: 16\n", "", (8, 5, "populations[0].neurons"), "has to be given"),
        ("[3, 2, 1]", "[3, 2]", (4, 13, "inputs[0].extent"), "three numbers"),
        ("[3, 2, 1]", "{x: 3}", (4, 13, "inputs[0].extent"), "has to be a list"),
        ("-1e0", ".nan", (5, 24, "inputs[0].position[2]"), "finite number"),
        ("-1e0", "1e999", (5, 24, "inputs[0].position[2]"), "finite number"),
        ("[picture]", "[pictures]", (12, 16, "populations[0].reach.inputs[0]"), "no population"),
        ("name: rest", "name: picture", (6, 11, "inputs[1].name"), "is the name of inputs[0]"),
        ("name: rest", "name: 7up", (6, 11, "inputs[1].name"), "no name"),
        ("name: rest", "name: rest\n    channels: 0", (7, 15, "inputs[1].channels"), "outside"),
        (
            "name: rest",
            "name: rest\n    channels: 99999999",
            (3, 3, "inputs"),
            "at most 1048576",
        ),
        ("size: 3", "size: 9999", (18, 11, "outputs[0].size"), "outside 1 to 1024"),
        ("kind: numbers", "kind: number", (17, 11, "outputs[0].kind"), "classes, numbers"),
        ("seed: 7", "seed: -7", (20, 9, "options.seed"), "outside"),
        ("seed: 7", "seed: 7\n  seed: 8", (21, 3, ""), "given twice"),
        (
            "{radius: 1.5}",
            "{radius: 1.5, window: [1, 1, 1]}",
            (14, 46, "populations[1].reach.radius"),
            "not both",
        ),
        ("{radius: 1.5}", "{radius: 0}", (14, 46, "populations[1].reach.radius"), "above 0"),
        ("{radius: 1.5}", "3", (14, 37, "populations[1].reach"), "has to have fields"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    old: str, new: str, expected: tuple[int, int, str], says: str
) -> None:
    """Line, column and path of the field that is wrong, and a sentence that helps."""
    error = refusal(GOOD.replace(old, new, 1))

    assert expected == place(error)
    assert says in error.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("# nothing\n", "empty"),
        ("just words", "has to have fields"),
        ("- a\n- b\n", "has to have fields"),
        ("inputs: [", "not YAML"),
        ("inputs: {a: 1\n", "not YAML"),
        ("a: 1\n b: 2\n", "not YAML"),
        ("\ta: 1", "not YAML"),
        ("a: \x00", "character"),
        ("a: &x 1\nb: *x\n", "anchors"),
        ("a: *x\n", "anchors"),
        ("a: !!python/object/apply:os.system ['true']\n", "tags"),
        ("a: !!int 3\n", "tags"),
        ("%YAML 9.9\n---\na: 1\n", "not YAML"),
        ("a: 1\n---\nb: 2\n", "second document"),
        ("? [a, b]\n: 1\n", "name of a field"),
        ("[" * 5000, "deep"),
        ("{a: " * 5000, "deep"),
        ("x" * (2**20 + 1), "longer"),
    ],
)
def test_what_is_no_template_is_refused(text: str, says: str) -> None:
    """Broken YAML, and YAML that does more than name values, never gets further."""
    error = refusal(text)

    assert says in error.message
    assert int(error.metadata["line"]) >= 1


def test_the_number_of_fields_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of endless fields is not read to its end."""
    monkeypatch.setattr(document, "_MOST_EVENTS", 100)

    error = refusal("a: [" + "1," * 200 + "]")

    assert "more fields" in error.message


def test_all_mistakes_are_told_in_the_order_of_the_text() -> None:
    """Three mistakes are three violations, from top to bottom."""
    text = GOOD.replace("16", "x").replace("seed: 7", "sead: 7").replace("numbers", "words")

    error = refusal(text)

    assert "3" == error.metadata["problems"]
    assert [
        "populations[0].neurons",
        "outputs[0].kind",
        "options.sead",
    ] == [violation.field for violation in error.violations]


def test_a_population_has_to_reach_something() -> None:
    """A window beside all channels is a mistake, once the channels are known."""
    text = GOOD.replace("  - name: rest\n", "").replace("[1, 1, 0]", "[50, 1, 0]")

    error = refusal(text)

    assert "populations[0].reach.window" == error.metadata["field"]
    assert "reaches no channel" in error.message


def test_hidden_populations_are_something_to_reach() -> None:
    """A population may reach hidden ones only; one that lies beyond them all may not."""
    populations = """
  - {name: low, neurons: 8}
  - {name: high, neurons: 8, position: [0, 0, 1], reach: {inputs: [low], radius: 1}}
"""
    text = f"""
inputs:
  - {{name: row, channels: 4}}
populations: {populations}
outputs:
  - {{name: state, kind: classes}}
"""

    template = read_template(text)
    error = refusal(text.replace("[0, 0, 1]", "[0, 0, 9]"))

    assert ("low",) == template.populations[1].inputs
    assert "populations[1].reach.radius" == error.metadata["field"]


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    """Whatever comes is a template or TEMPLATE_INVALID."""
    outcome: NetworkTemplate | InvalidArgument
    try:
        outcome = read_template(text)
    except InvalidArgument as error:
        outcome = error

    assert isinstance(outcome, NetworkTemplate) or "TEMPLATE_INVALID" == outcome.reason


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
        max_leaves=8,
    )
)
def test_no_value_makes_a_field_fail(value: object) -> None:
    """Any JSON value in place of a field's value is a mistake with a place, or fits."""
    text = GOOD.replace("[picture]", json.dumps(value), 1)
    line = 1
    try:
        read_template(text)
    except InvalidArgument as error:
        line = int(error.metadata["line"])

    assert 1 <= line <= 22


def test_the_shipped_templates_are_good() -> None:
    """All of them read, with a description, under the names that the documents use."""
    shipped = shipped_templates()

    assert [
        "anomaly",
        "flat",
        "flat-numbers",
        "forecast",
        "grid",
        "self-organised",
        "static",
    ] == list(shipped)
    assert all(item.template.description for item in shipped.values())
    grid = shipped["grid"].template
    assert {(ReachKind.WINDOW, (12.0, 12.0, 1.0), 32)} == {
        (item.reach.kind, item.reach.window, item.neurons) for item in grid.populations
    }


def test_no_text_takes_long_to_refuse() -> None:
    """A list of as many items as fit into the text is given up after some of them."""
    error = refusal("[" + "a," * (document.MOST_CHARACTERS // 2 - 1) + "]")

    assert "more fields" in error.message
    assert int(error.metadata["column"]) < document.MOST_CHARACTERS // 2
