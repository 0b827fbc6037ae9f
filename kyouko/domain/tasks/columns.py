"""Which columns of a data set a task feeds to a network, and what its rows hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kyouko.domain.engine import NetworkStructure, TaskKind
from kyouko.domain.networks.learner import Labels, Numbers, Rows, width_mismatch
from kyouko.domain.tasks.task import TaskWork
from kyouko.domain.tasks.times import times_of
from kyouko.ports import (
    ColumnKind,
    ColumnUse,
    ColumnValues,
    DatasetColumn,
    DatasetDescription,
    RowRange,
)
from mesh.errors import InvalidArgument

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ColumnChoice:
    """The columns of a task; `target` and `time` are empty when there is none."""

    inputs: tuple[str, ...]
    target: str
    time: str = ""


def choose_columns(
    dataset: DatasetDescription,
    structure: NetworkStructure,
    work: TaskWork,
    *,
    input_columns: Sequence[str],
    target_column: str,
    time_column: str = "",
) -> ColumnChoice:
    """Return the columns a task will use: the ones named, or those of the fitting role.

    Raises:
        InvalidArgument: WIDTH_MISMATCH: the rows do not fit the network; FIELD_INVALID: a
            column is unknown or of a wrong type, or there is nothing to learn.
    """
    columns = {column.name: column for column in dataset.columns}
    time = _time(columns, structure, time_column)
    target = _target(columns, structure, work, target_column)
    inputs = _inputs(columns, input_columns, dataset.name, without=time)
    for name, use in ((target, "the target"), (time, "the time of the rows")):
        if name in inputs:
            raise InvalidArgument.for_field(
                "input_columns", f"column {name!r} is {use}, and cannot be an input as well"
            )
    if time and time == target:
        raise InvalidArgument.for_field(
            "time_column", f"column {time!r} is the target, and cannot be the time as well"
        )
    width = sum(columns[name].width for name in inputs)
    if not structure.least_channels <= width <= structure.most_channels:
        raise width_mismatch("input_columns", structure.channels, width)
    return ColumnChoice(inputs, target, time)


def _inputs(
    columns: dict[str, DatasetColumn], named: Sequence[str], dataset: str, *, without: str
) -> tuple[str, ...]:
    names = tuple(named) or tuple(
        column.name
        for column in columns.values()
        if column.use is ColumnUse.INPUT and column.name != without
    )
    for name in names:
        column = _known(columns, name, "input_columns")
        if column.kind is ColumnKind.STRING:
            raise InvalidArgument.for_field(
                "input_columns", f"column {name!r} holds text; a network takes numbers"
            )
    if not names:
        raise InvalidArgument.for_field(
            "input_columns", f"{dataset} has no column of role INPUT; name the columns to feed"
        )
    return names


def _time(columns: dict[str, DatasetColumn], structure: NetworkStructure, named: str) -> str:
    if not named:
        if structure.pipeline is not None and structure.pipeline.needs_times:
            raise InvalidArgument.for_field(
                "time_column",
                "the network's pipeline needs the time of each row; name the column that holds it",
            )
        return ""
    column = _known(columns, named, "time_column")
    if column.width != 1 or column.kind is ColumnKind.UINT8:
        raise InvalidArgument.for_field(
            "time_column", f"column {named!r} holds bytes or several values a row, and no times"
        )
    return named


def _target(
    columns: dict[str, DatasetColumn], structure: NetworkStructure, work: TaskWork, named: str
) -> str:
    if structure.teaches_itself:
        if named:
            raise InvalidArgument.for_field(
                "target_column", "the network teaches itself; name no target column"
            )
        return ""
    if named:
        problem = _unfit(_known(columns, named, "target_column"), structure)
        if problem:
            raise problem
        return named
    default = next((item for item in columns.values() if item.use is ColumnUse.TARGET), None)
    problem = _unfit(default, structure) if default is not None else None
    if default is not None and problem is None:
        return default.name
    if work is TaskWork.PREDICT:
        return ""
    raise problem or InvalidArgument.for_field(
        "target_column", "there is no column of role TARGET; name the column to learn"
    )


def _unfit(column: DatasetColumn, structure: NetworkStructure) -> InvalidArgument | None:
    output = structure.output
    if output.kind is TaskKind.NUMBERS and column.kind is ColumnKind.STRING:
        return InvalidArgument.for_field(
            "target_column", f"column {column.name!r} holds text, but the network learns numbers"
        )
    size = output.size if output.kind is TaskKind.NUMBERS else 1
    if column.width != size:
        return width_mismatch("target_column", size, column.width)
    return None


def _known(columns: dict[str, DatasetColumn], name: str, field: str) -> DatasetColumn:
    if name not in columns:
        known = ", ".join(list(columns)[:20])
        raise InvalidArgument.for_field(
            field, f"there is no column {name!r}; there are {known}", metadata={"column": name}
        )
    return columns[name]


def inputs_of(columns: Sequence[ColumnValues]) -> Array:
    """Return columns side by side as rows: uint8 if all are, float32 otherwise."""
    arrays = [column.numbers for column in columns if column.numbers is not None]
    if len(arrays) < len(columns):
        raise _changed()
    if all(array.dtype == np.uint8 for array in arrays):
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)
    # What float32 cannot hold becomes infinite, as in the engine's policy.
    with np.errstate(over="ignore"):
        return np.concatenate([array.astype(np.float32) for array in arrays], axis=1)


@dataclass(frozen=True)
class TaskRows:
    """Rows of a data set for a network.

    Attributes:
        rows: all of them, with targets only if every row has a known one.
        known: indices of the rows with a known target; None when that is all or none.
        scored: the rows of `known` with their targets.
        targets: as they go into a result file; None without a target column.
    """

    start_row: int
    rows: Rows
    known: npt.NDArray[np.intp] | None = None
    scored: Rows | None = None
    targets: Sequence[Any] | None = None

    def __len__(self) -> int:
        return len(self.rows.inputs)


def task_rows(
    batch: RowRange, *, has_target: bool, is_classes: bool, has_times: bool = False
) -> TaskRows:
    """Return a run of rows as a network takes it.

    Args:
        batch: inputs, then the times if there are any, then the target if there is one.
        has_target: whether its last column is the target.
        is_classes: whether targets are labels.
        has_times: whether the column behind the inputs holds times.

    Raises:
        InvalidArgument: TARGET_INVALID or FIELD_INVALID, with the row: no label can be made of a
            target, or no time.
    """
    columns = batch.columns[:-1] if has_target else batch.columns
    times = times_of(columns[-1], batch.start_row) if has_times else None
    inputs = inputs_of(columns[:-1] if has_times else columns)
    if not has_target:
        return TaskRows(batch.start_row, Rows(inputs, event_times=times))
    target = batch.columns[-1]
    if is_classes:
        values, is_known = _labels(target, batch.start_row)
        every: Labels | Numbers = Labels(values)
    else:
        numbers = _numbers(target)
        is_known = _without_gaps(numbers)
        every = Numbers(numbers)
        values = numbers.tolist()
    if is_known.all():
        rows = Rows(inputs, every, event_times=times)
        return TaskRows(batch.start_row, rows, targets=values)
    known = np.flatnonzero(is_known)
    return TaskRows(
        batch.start_row,
        Rows(inputs, event_times=times),
        known,
        Rows(inputs[known], _some(every, known)) if len(known) else None,
        values,
    )


def missing_target(rows: TaskRows) -> InvalidArgument:
    """Return the error of rows to be learned of which one has no target."""
    known = set() if rows.known is None else set(rows.known.tolist())
    first = next(index for index in range(len(rows)) if index not in known)
    return target_invalid(rows.start_row + first, "the target is missing")


def target_invalid(row: int, problem: str) -> InvalidArgument:
    """Return the error of a row of a data set whose target cannot be used."""
    return InvalidArgument.for_field(
        "target_column",
        f"row {row}: {problem}",
        reason="TARGET_INVALID",
        metadata={"row": str(row)},
    )


def _without_gaps(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    known: npt.NDArray[np.bool_] = np.logical_not(np.isnan(numbers).any(axis=1))
    return known


def _numbers(target: ColumnValues) -> npt.NDArray[np.float64]:
    if target.numbers is None:
        raise _changed()
    return target.numbers.astype(np.float64)


def _labels(target: ColumnValues, start_row: int) -> tuple[list[Any], npt.NDArray[np.bool_]]:
    if target.texts is not None:
        return list(target.texts), np.array([text != "" for text in target.texts], np.bool_)
    if target.numbers is None:
        raise _changed()
    numbers = target.numbers[:, 0]
    if numbers.dtype.kind in "iu":
        return numbers.tolist(), np.ones(len(numbers), np.bool_)
    is_known: npt.NDArray[np.bool_] = np.logical_not(np.isnan(numbers.astype(np.float64)))
    values = np.where(is_known, numbers, 0.0)
    is_label = np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2.0**53)
    if not is_label.all():
        row = int(np.argmin(is_label))
        raise target_invalid(
            start_row + row, f"{values[row]} is no label; labels are text or whole numbers"
        )
    return values.astype(np.int64).tolist(), is_known


def _changed() -> InvalidArgument:
    return InvalidArgument.for_field(
        "dataset", "a column holds text now, and held numbers when the task was made"
    )


def _some(target: Labels | Numbers, rows: npt.NDArray[np.intp]) -> Labels | Numbers:
    if isinstance(target, Numbers):
        return Numbers(target.values[rows])
    chosen: list[Any] = [target.values[row] for row in rows]
    return Labels(chosen)
