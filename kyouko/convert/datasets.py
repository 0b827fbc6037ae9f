"""Messages of shiori as the domain sees data sets."""

from hanami.shiori.v1 import dataset_service_pb2 as pb

from kyouko.ports import (
    ColumnKind,
    ColumnUse,
    ColumnValues,
    DatasetColumn,
    DatasetDescription,
    RowRange,
)
from mesh.tensors import array_of
from mesh.visibility_messages import visibility_of

_KINDS = {
    pb.COLUMN_TYPE_UINT8: ColumnKind.UINT8,
    pb.COLUMN_TYPE_INT64: ColumnKind.INT64,
    pb.COLUMN_TYPE_FLOAT64: ColumnKind.FLOAT64,
    pb.COLUMN_TYPE_STRING: ColumnKind.STRING,
}
_USES = {
    pb.COLUMN_ROLE_INPUT: ColumnUse.INPUT,
    pb.COLUMN_ROLE_TARGET: ColumnUse.TARGET,
    pb.COLUMN_ROLE_OTHER: ColumnUse.OTHER,
}


def description_of(message: pb.Dataset) -> DatasetDescription:
    """Return what a message says of a data set."""
    return DatasetDescription(
        name=message.name,
        columns=[
            DatasetColumn(column.name, _KINDS[column.type], _USES[column.role], column.width)
            for column in message.columns
        ],
        row_count=message.row_count,
        visibility=visibility_of(message.visibility),
        etag=message.etag,
    )


def row_range_of(message: pb.ReadDatasetResponse) -> RowRange:
    """Return the rows in a message; the numbers are not copied."""
    return RowRange(
        start_row=message.start_row,
        row_count=message.row_count,
        columns=[_values_of(column) for column in message.columns],
    )


def _values_of(column: pb.ColumnValues) -> ColumnValues:
    if column.WhichOneof("values") == "text":
        return ColumnValues(numbers=None, texts=list(column.text.values))
    return ColumnValues(numbers=array_of(column.tensor, field=column.name))
