"""What is said about the columns of an upload."""

from hanami.shiori.v1 import dataset_service_pb2 as pb

from hanami_sdk.cli.columns import fed_channels, next_commands, uses, warning


def dataset(*columns: tuple[str, str, str]) -> pb.Dataset:
    """Return a data set of columns: name, type, role."""
    return pb.Dataset(
        name="projects/plant/datasets/readings",
        columns=[
            pb.Column(
                name=name,
                type=pb.ColumnType.Value(f"COLUMN_TYPE_{kind}"),
                role=pb.ColumnRole.Value(f"COLUMN_ROLE_{role}"),
                width=1,
            )
            for name, kind, role in columns
        ],
    )


PUMPS = dataset(
    ("flow", "FLOAT64", "INPUT"),
    ("suction", "STRING", "OTHER"),
    ("state", "STRING", "TARGET"),
    ("speed", "INT64", "INPUT"),
)


def test_every_column_has_its_use() -> None:
    """Fed, learned or left out, in the file's order."""
    assert 2 == fed_channels(PUMPS)
    assert [
        ("Fed", "flow, speed (2 channels)"),
        ("Learned", "state"),
        ("Left out", "suction"),
    ] == uses(PUMPS)


def test_text_that_is_left_out_is_warned_of() -> None:
    """A column of numbers with one stray word would be missed otherwise."""
    assert warning(PUMPS).startswith("suction is text, so it is not fed.")
    assert "" == warning(dataset(("flow", "FLOAT64", "INPUT")))


def test_the_next_commands_fit_the_columns() -> None:
    """Channels are counted; a target of fractions needs a network of numbers."""
    numbers = dataset(("flow", "INT64", "INPUT"), ("head", "FLOAT64", "TARGET"))

    assert [
        "network create NETWORK --channels 2",
        "task create NETWORK readings --watch",
    ] == next_commands(PUMPS)
    assert "network create NETWORK --template flat-numbers --channels 1" in next_commands(numbers)
    assert "--target COLUMN" in next_commands(dataset(("flow", "INT64", "INPUT")))[1]
