"""Rows in parts, as the prototype's clients send them."""

import struct

import pytest
from hanami.kyouko.v1 import network_service_pb2, template_service_pb2
from hanami.torii.v1 import direct_io_pb2 as pb

from mesh.errors import InvalidArgument
from torii.convert_direct import introduction_of, layout_of, part_of
from torii.domain.direct_io import Assembly, DataKind, Layout, Part, Row, label_of, placed

ONE = Layout([("sensors", 2)], "state", None)
TWO = Layout([("left", 1), ("right", 2)], "level", 1)


def part(
    values: list[float],
    *,
    kind: DataKind = DataKind.INPUT,
    last: bool = False,
    learning: bool = True,
    segment: str = "left",
) -> Part:
    """Return a part."""
    return Part(segment, last, learning, kind, values)


def test_a_row_is_learned_when_its_outputs_have_come() -> None:
    """Inputs first, then what the outputs should be; nothing is left for the next row."""
    assembly = Assembly(ONE)

    rows = [
        assembly.take(part([1.0, 2.0], segment="any name")),
        assembly.take(part([0.0, 1.0], kind=DataKind.SHOULD, last=True)),
        assembly.take(part([3.0, 4.0], last=True, learning=False)),
    ]

    assert [None, Row([1.0, 2.0], [0.0, 1.0]), Row([3.0, 4.0], None)] == rows


def test_several_inputs_make_one_row_in_the_order_of_the_network() -> None:
    """They may come in any order, by name."""
    assembly = Assembly(TWO)
    assembly.take(part([2.0, 3.0], segment="right", learning=False))

    row = assembly.take(part([1.0], segment="left", last=True, learning=False))

    assert Row([1.0, 2.0, 3.0], None) == row


@pytest.mark.parametrize(
    ("layout", "wrong"),
    [
        (ONE, part([1.0])),
        (ONE, part([1.0, 2.0, 3.0])),
        (ONE, part([1.0, 2.0], last=True)),
        (ONE, part([1.0, 2.0], kind=DataKind.OUTPUT)),
        (ONE, part([1.0], kind=DataKind.SHOULD, learning=False)),
        (ONE, part([], kind=DataKind.SHOULD)),
        (ONE, part([0.0] * 4097, kind=DataKind.SHOULD)),
        (ONE, part([1.0], kind=DataKind.SHOULD, last=True)),
        (TWO, part([1.0], segment="middle")),
        (TWO, part([1.0], last=True, learning=False)),
        (TWO, part([1.0, 2.0], kind=DataKind.SHOULD)),
    ],
)
def test_what_does_not_fit_is_refused(layout: Layout, wrong: Part) -> None:
    """Wrong counts, kinds and names, and rows that are not complete."""
    assembly = Assembly(layout)

    with pytest.raises(InvalidArgument) as refused:
        assembly.take(wrong)

    assert "STREAM_PROTOCOL" == refused.value.reason


def test_one_hot_outputs_are_labels() -> None:
    """The place of the largest value is the label, and back."""
    assert ["0", "2"] == [label_of([0.9, 0.1]), label_of([0.0, 0.0, 1.0])]
    assert [0.0, 0.75, 0.0, 0.25] == placed([0.25, 0.75, 0.5], ["3", "1", "ripe"])
    assert [] == placed([1.0], ["ripe"])


def test_the_wire_is_the_prototypes() -> None:
    """Field numbers and enum values, byte for byte."""
    written = pb.ClusterIO(
        segment_name="s",
        is_last=True,
        process_type=pb.CLUSTER_PROCESS_TYPE_LEARN,
        data_type=pb.CLUSTER_DATA_TYPE_OUTPUT,
        number_of_values=1,
        values=[0.5],
    ).SerializeToString()

    by_hand = b"\x0a\x01s\x10\x01\x18\x01\x20\x02\x28\x01\x32\x04"
    assert by_hand + struct.pack("<f", 0.5) == written


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff",
        pb.ClusterIO(number_of_values=2, values=[1.0]).SerializeToString(),
        pb.ClusterIO(number_of_values=2**63).SerializeToString(),
        b"\x20\x07",
        b"\x18\x07",
    ],
)
def test_bytes_that_contradict_themselves_are_refused(data: bytes) -> None:
    """Other bytes, counts that are not those of the values, unknown kinds."""
    with pytest.raises(InvalidArgument):
        part_of(data)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ('{"token":"t","target":"projects/p/networks/n"}', "projects/p/networks/n"),
        ('{"token":"t","target":"p/n"}', "projects/p/networks/n"),
        ('{"token":"t","target":"cluster","uuid":"p/n"}', "projects/p/networks/n"),
        ('{"token":"t","target":"kyouko","uuid":"projects/p/networks/n"}', "projects/p/networks/n"),
    ],
)
def test_a_handshake_names_token_and_network(text: str, network: str) -> None:
    """In the target, or beside it as later prototypes did."""
    assert ("t", network) == (introduction_of(text).token, introduction_of(text).network)


@pytest.mark.parametrize("text", ["", "hello", "[]", '{"token":1}', "[" * 100_000, b"\xff\xfe"])
def test_another_handshake_is_refused(text: str | bytes) -> None:
    """What is no JSON object of texts."""
    with pytest.raises(InvalidArgument):
        introduction_of(text)


def test_the_layout_is_that_of_the_network() -> None:
    """Inputs with their channels; numbers have a size, labels none."""
    structure = template_service_pb2.NetworkTemplate(
        inputs=[template_service_pb2.InputPopulation(name="a", channels=3)],
        outputs=[
            template_service_pb2.OutputPopulation(
                name="b", kind=template_service_pb2.OUTPUT_KIND_NUMBERS, size=2
            )
        ],
    )

    layout = layout_of(network_service_pb2.Network(structure=structure))

    assert Layout([("a", 3)], "b", 2) == layout
