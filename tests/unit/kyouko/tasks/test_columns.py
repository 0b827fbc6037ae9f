"""Which columns a task uses, and what its rows hold."""

import numpy as np
import pytest

from kyouko.domain.engine import NetworkStructure, OutputPopulation, TaskKind
from kyouko.domain.networks.learner import Labels, Numbers
from kyouko.domain.tasks.columns import (
    ColumnChoice,
    choose_columns,
    inputs_of,
    missing_target,
    task_rows,
)
from kyouko.domain.tasks.task import TaskWork
from kyouko.domain.template import resolve
from kyouko.ports import (
    ColumnKind,
    ColumnUse,
    ColumnValues,
    DatasetColumn,
    DatasetDescription,
    RowRange,
)
from kyouko.templates import read_template, shipped_templates
from mesh.errors import InvalidArgument

IRIS = DatasetDescription(
    "projects/p/datasets/iris",
    [
        DatasetColumn("id", ColumnKind.STRING, ColumnUse.OTHER, 1),
        DatasetColumn("length", ColumnKind.FLOAT64, ColumnUse.INPUT, 1),
        DatasetColumn("width", ColumnKind.INT64, ColumnUse.INPUT, 1),
        DatasetColumn("kind", ColumnKind.STRING, ColumnUse.TARGET, 1),
    ],
    150,
)


def network(channels: int, *, numbers: bool = False) -> NetworkStructure:
    """Return the structure of a flat network."""
    shipped = shipped_templates()["flat-numbers" if numbers else "flat"]
    return resolve(shipped.template, channels=channels)


def choose(
    structure: NetworkStructure, work: TaskWork, *named: str, target: str = ""
) -> ColumnChoice:
    """Choose columns of the iris data set."""
    return choose_columns(IRIS, structure, work, input_columns=named, target_column=target)


def test_roles_choose_the_columns() -> None:
    """Inputs in the order of the data set, and its target."""
    assert ColumnChoice(("length", "width"), "kind") == choose(network(2), TaskWork.LEARN)


def test_named_columns_come_in_their_order() -> None:
    """Whoever names columns decides their order."""
    chosen = choose(network(2), TaskWork.LEARN, "width", "length", target="kind")

    assert ("width", "length") == chosen.inputs


def test_a_target_that_does_not_fit_is_left_out_of_a_prediction() -> None:
    """A network of numbers predicts over a data set whose default target is text."""
    structure = network(2, numbers=True)

    assert "" == choose(structure, TaskWork.PREDICT).target
    with pytest.raises(InvalidArgument, match="learns numbers"):
        choose(structure, TaskWork.LEARN)


def test_width_is_checked() -> None:
    """Too few or too many values are WIDTH_MISMATCH with both numbers."""
    for channels in (1, 3):
        with pytest.raises(InvalidArgument) as refused:
            choose(network(channels), TaskWork.LEARN)
        assert ("WIDTH_MISMATCH", str(channels), "2") == (
            refused.value.reason,
            refused.value.metadata["expected"],
            refused.value.metadata["actual"],
        )


@pytest.mark.parametrize(
    ("named", "target", "field"),
    [
        (("length", "none"), "", "input_columns"),
        (("length", "id"), "", "input_columns"),
        (("length", "width"), "width", "input_columns"),
        ((), "none", "target_column"),
    ],
)
def test_impossible_columns_are_refused(named: tuple[str, ...], target: str, field: str) -> None:
    """Unknown ones, text, and a target among the inputs."""
    with pytest.raises(InvalidArgument) as refused:
        choose(network(2), TaskWork.LEARN, *named, target=target)

    assert ("FIELD_INVALID", field) == (refused.value.reason, refused.value.metadata["field"])


LOG = DatasetDescription(
    "projects/p/datasets/log",
    [
        DatasetColumn("at", ColumnKind.INT64, ColumnUse.INPUT, 1),
        DatasetColumn("load", ColumnKind.FLOAT64, ColumnUse.INPUT, 1),
        DatasetColumn("picture", ColumnKind.UINT8, ColumnUse.OTHER, 4),
        DatasetColumn("state", ColumnKind.STRING, ColumnUse.TARGET, 1),
    ],
    150,
)


def watcher(pipeline: str) -> NetworkStructure:
    """Return the structure of a network of one channel behind a pipeline."""
    template = read_template(
        "inputs: [{name: row}]\npopulations: [{name: all, neurons: 8}]\n"
        f"outputs: [{{name: out, kind: classes}}]\npipeline: {pipeline}\n"
    )
    return resolve(template, channels=1)


@pytest.mark.parametrize("pipeline", ["{calendar: {}}", "{late: {}}"])
def test_a_time_column_is_not_fed(pipeline: str) -> None:
    """Numbers of a role INPUT stand for the time when that is asked for."""
    chosen = choose_columns(
        LOG, watcher(pipeline), TaskWork.LEARN, input_columns=(), target_column="", time_column="at"
    )

    assert ColumnChoice(("load",), "state", "at") == chosen


@pytest.mark.parametrize(
    ("time", "inputs", "target", "field"),
    [
        ("", (), "", "time_column"),
        ("none", (), "", "time_column"),
        ("picture", (), "", "time_column"),
        ("at", ("at",), "", "input_columns"),
        ("at", (), "at", "time_column"),
    ],
)
def test_impossible_time_columns_are_refused(
    time: str, inputs: tuple[str, ...], target: str, field: str
) -> None:
    """None where one is needed, unknown ones, bytes, and columns of another use."""
    with pytest.raises(InvalidArgument) as refused:
        choose_columns(
            LOG,
            watcher("{calendar: {}}"),
            TaskWork.LEARN,
            input_columns=inputs,
            target_column=target,
            time_column=time,
        )

    assert ("FIELD_INVALID", field) == (refused.value.reason, refused.value.metadata["field"])


def test_times_come_with_all_rows() -> None:
    """Also with those whose target is not known."""
    batch = RowRange(
        5,
        2,
        [
            ColumnValues(np.ones((2, 1))),
            ColumnValues(np.array([[1], [2]])),
            ColumnValues(None, ["a", ""]),
        ],
    )

    found = task_rows(batch, has_target=True, is_classes=True, has_times=True)

    assert found.rows.event_times is not None
    assert [10**9, 2 * 10**9] == found.rows.event_times.tolist()
    assert (2, 1) == found.rows.inputs.shape


def test_the_width_of_a_target_of_numbers_is_that_of_the_outputs() -> None:
    """Two outputs cannot be learned from a column of one value."""
    structure = network(1, numbers=True)
    wide = NetworkStructure(
        structure.inputs, structure.populations, OutputPopulation("o", TaskKind.NUMBERS, 2)
    )

    with pytest.raises(InvalidArgument) as refused:
        choose(wide, TaskWork.LEARN, "length", target="width")

    assert ("WIDTH_MISMATCH", "2") == (refused.value.reason, refused.value.metadata["expected"])


def test_bytes_stay_bytes() -> None:
    """A single column of bytes is not even copied; several are joined as bytes."""
    column = ColumnValues(np.zeros((3, 4), np.uint8))

    assert column.numbers is inputs_of([column])
    assert ((3, 8), np.uint8) == (
        inputs_of([column, column]).shape,
        inputs_of([column, column]).dtype,
    )


def test_columns_of_several_types_become_float32() -> None:
    """Numbers beyond float32 become infinite, gaps stay NaN."""
    joined = inputs_of(
        [
            ColumnValues(np.array([[1], [2]], np.uint8)),
            ColumnValues(np.array([[1e300], [np.nan]])),
        ]
    )

    assert np.float32 == joined.dtype
    assert [1.0, np.inf] == joined[0].tolist()
    assert np.isnan(joined[1, 1])


def rows(target: ColumnValues, *, is_classes: bool = True) -> RowRange:
    """Return three rows of one input and a target, from row 10 on."""
    return RowRange(10, 3, [ColumnValues(np.ones((3, 1))), target])


def test_text_targets_are_labels() -> None:
    """All three known."""
    read = task_rows(rows(ColumnValues(None, ["a", "b", "a"])), has_target=True, is_classes=True)

    assert Labels(["a", "b", "a"]) == read.rows.target
    assert read.known is None


def test_whole_numbers_are_labels_also_as_floats() -> None:
    """A gap makes a column of integers one of floats; its labels stay whole."""
    read = task_rows(
        rows(ColumnValues(np.array([[1.0], [np.nan], [3.0]]))), has_target=True, is_classes=True
    )

    assert read.rows.target is None
    assert read.scored is not None
    assert Labels([1, 3]) == read.scored.target
    assert "11" == missing_target(read).metadata["row"]


@pytest.mark.parametrize("value", [0.5, np.inf, 1e300])
def test_other_numbers_are_no_labels(value: float) -> None:
    """TARGET_INVALID names the row of the data set."""
    column = ColumnValues(np.array([[1.0], [2.0], [value]]))

    with pytest.raises(InvalidArgument) as refused:
        task_rows(rows(column), has_target=True, is_classes=True)

    assert ("TARGET_INVALID", "12") == (refused.value.reason, refused.value.metadata["row"])


def test_numbers_as_targets() -> None:
    """Known ones are passed on, those with a gap are set apart."""
    read = task_rows(
        rows(ColumnValues(np.array([[1.0], [2.0], [np.nan]]))), has_target=True, is_classes=False
    )

    assert read.scored is not None
    assert isinstance(read.scored.target, Numbers)
    assert [[1.0], [2.0]] == read.scored.target.values.tolist()


def test_rows_without_any_target_are_only_predicted() -> None:
    """An empty text in every row is no target at all."""
    read = task_rows(rows(ColumnValues(None, ["", "", ""])), has_target=True, is_classes=True)

    assert (None, None) == (read.rows.target, read.scored)


def test_a_column_that_became_text_is_refused() -> None:
    """A data set may be replaced between a task's creation and its turn."""
    changed = RowRange(0, 1, [ColumnValues(None, ["x"])])

    with pytest.raises(InvalidArgument, match="holds text now"):
        task_rows(changed, has_target=False, is_classes=True)
