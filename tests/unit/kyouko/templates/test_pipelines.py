"""Pipelines in templates: what may be declared, what is wrong with it, and what is made of it."""

import pytest
from hanami.kyouko.v1 import template_service_pb2

from kyouko.convert.templates import network_template_message, network_template_of
from kyouko.domain.pipeline.lags import engine_structure
from kyouko.domain.template import NetworkTemplate, resolve
from kyouko.storage.documents import structure_document, structure_in
from kyouko.templates import read_template
from mesh.errors import InvalidArgument

EVERYTHING = """
  lags: [1, 2, 24]
  window: 3
  differences: [1, 24]
  calendar: {hour_of_day: true, time_zone: Europe/Berlin}
  forecast: {horizon: 6, channels: [pump, '3', 'valve[0]']}
  missing: hold
  stuck_rows: 100
  rules:
    - {channels: ['pump[1]'], missing: reject}
    - {channels: ['2'], stuck_rows: 0}
  late: {policy: reject, tolerance_seconds: 1.5}
  grow_channels: true
  most_channels: 9
  narrow_rows: true
"""


def template_of(pipeline: str, *, kind: str = "numbers", more: str = "") -> NetworkTemplate:
    """Return a template of four channels with a pipeline."""
    return read_template(
        "inputs: [{name: pump, channels: 2}, {name: valve, channels: 2}]\n"
        "populations: [{name: all, neurons: 8}]\n"
        f"outputs: [{{name: out, kind: {kind}}}]\n"
        f"pipeline: {pipeline}\n{more}"
    )


def test_everything_survives_the_way_over_the_wire_and_the_database() -> None:
    """YAML, message and document hold the same pipeline."""
    template = template_of(EVERYTHING)

    sent = network_template_message(template).SerializeToString()
    received = network_template_of(template_service_pb2.NetworkTemplate.FromString(sent))

    assert template == received
    structure = resolve(template)
    assert structure == structure_in(structure_document(structure))


def test_a_network_that_teaches_itself_has_as_many_outputs_as_targets() -> None:
    """The outputs are the channels in the order in which they are named."""
    some, every = template_of(EVERYTHING), template_of("{reconstruction: {}}")

    assert (4, 4) == (resolve(some).output.size, resolve(every).output.size)


def test_the_engine_sees_what_the_pipeline_makes() -> None:
    """Copies lie where their channels lie; populations that name an input reach its copies."""
    template = read_template(
        "inputs: [{name: grid, extent: [2, 2, 1]}, {name: flat, channels: 1}]\n"
        "populations:\n"
        "  - {name: some, neurons: 8, reach: {inputs: [grid]}}\n"
        "  - {name: clock, neurons: 8, reach: {inputs: [calendar]}}\n"
        "outputs: [{name: out, kind: classes}]\n"
        "pipeline: {lags: [2], differences: [1], calendar: {}}\n"
    )

    inner = engine_structure(resolve(template))

    assert (21, None) == (inner.channels, inner.pipeline)
    assert [
        ("grid", (2, 2, 1)),
        ("grid, 2 rows ago", (2, 2, 1)),
        ("grid, change in 1 rows", (2, 2, 1)),
        ("flat", (1, 1, 1)),
        ("flat, 2 rows ago", (1, 1, 1)),
        ("flat, change in 1 rows", (1, 1, 1)),
        ("calendar", (6, 1, 1)),
    ] == [(item.name, item.shape) for item in inner.inputs]
    assert ("grid", "grid, 2 rows ago", "grid, change in 1 rows") == inner.populations[0].inputs


PROBLEMS = {
    "{lags: [2, 1]}": "pipeline.lags: they have to ascend",
    "{lags: [0]}": r"pipeline.lags\[0\]: 0 rows is outside 1 to 65536",
    "{window: 2000}": "pipeline.window: 2000 rows is outside 0 to 1024",
    "{calendar: {time_zone: Mars/Olympus}}": "there is no time zone 'Mars/Olympus'",
    "{calendar: {time_zone: ../etc/passwd}}": "there is no time zone",
    "{stuck_rows: 1}": "1 row alone is never stuck",
    "{late: {tolerance_seconds: -1}}": "-1 is outside 0 to",
    "{late: {policy: later}}": "'later' is not one of skip, reject",
    "{missing: hodl}": "did you mean 'hold'",
    "{forecast: {}, reconstruction: {}}": "forecasts or reconstructs, not both",
    "{forecast: {horizon: 0}}": "pipeline.forecast.horizon: 0 rows is outside 1 to 10000",
    "{forecast: {channels: [4]}}": "there is no channel 4; 0 to 3 are",
    "{forecast: {channels: [tap]}}": "'tap' is no channel",
    "{forecast: {channels: [pump, 1]}}": "channel 1 is named twice",
    "{rules: [{missing: hold}]}": "a rule needs channels",
    "{rules: [{channels: [0]}, {channels: [pump]}]}": r"0 is in pipeline.rules\[0\] already",
    "{most_channels: 9}": "is for networks with grow_channels",
    "{grow_channels: true, most_channels: 3}": "3 is outside 4 to 1048576",
    "{window: 1024, grow_channels: true, most_channels: 10000}": "numbers enter for each row",
    "{lgas: [1]}": "unknown field",
}


@pytest.mark.parametrize(("pipeline", "problem"), PROBLEMS.items(), ids=range(len(PROBLEMS)))
def test_mistakes_are_told_with_their_place(pipeline: str, problem: str) -> None:
    """Each names the field, the line, and what is allowed."""
    with pytest.raises(InvalidArgument, match=problem) as refused:
        template_of(pipeline)

    assert ("TEMPLATE_INVALID", "4") == (refused.value.reason, refused.value.metadata["line"])


def test_only_numbers_can_be_foretold() -> None:
    """A forecast needs an output of numbers, of the right size."""
    with pytest.raises(InvalidArgument, match="an output of the kind numbers"):
        template_of("{forecast: {}}", kind="classes")
    with pytest.raises(InvalidArgument, match=r"3 numbers, but pipeline.forecast has 4 channels"):
        template_of("{forecast: {}}", kind="numbers, size: 3")


@pytest.mark.parametrize(
    ("pipeline", "channels", "problem"),
    [
        ("{forecast: {channels: [7]}}", 7, "there is no channel 7"),
        ("{reconstruction: {}}", 1025, "1025 channels is outside 1 to 1024"),
    ],
)
def test_open_channels_are_checked_once_they_are_known(
    pipeline: str, channels: int, problem: str
) -> None:
    """The template itself is good; a network of these channels is not."""
    template = read_template(
        "inputs: [{name: row}]\npopulations: [{name: all, neurons: 8}]\n"
        f"outputs: [{{name: out, kind: numbers}}]\npipeline: {pipeline}\n"
    )

    with pytest.raises(InvalidArgument, match=problem):
        resolve(template, channels=channels)


def test_two_memories_that_would_not_agree_are_refused() -> None:
    """Delays and potentials belong to the engine, which learns a far forecast's rows late."""
    inputs = "inputs: [{name: row, channels: 1, delays: [1]}]\n"
    rest = "outputs: [{name: out, kind: numbers}]\npipeline: {forecast: {horizon: 2}}\n"

    with pytest.raises(InvalidArgument, match=r"take pipeline.lags instead"):
        read_template(f"{inputs}populations: [{{name: all, neurons: 8}}]\n{rest}")
    with pytest.raises(InvalidArgument, match="potentials cannot wait"):
        read_template(
            "inputs: [{name: row, channels: 1}]\n"
            f"populations: [{{name: all, neurons: 8, spiking: {{}}}}]\n{rest}"
        )
