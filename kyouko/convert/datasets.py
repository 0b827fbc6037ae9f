"""Messages of shiori as the domain sees data sets."""

from collections.abc import Sequence
from datetime import UTC

from hanami.shiori.v1 import dataset_service_pb2 as pb

from kyouko.ports import (
    ColumnKind,
    ColumnUse,
    ColumnValues,
    DatasetColumn,
    DatasetDescription,
    DatasetSource,
    RowRange,
)
from mesh import names
from mesh.access_messages import role_numbers
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
        create_time=message.create_time.ToDatetime(tzinfo=UTC),
        owner=message.owner,
    )


def read_request(
    source: DatasetSource, columns: Sequence[str], start_row: int, *, together: int
) -> pb.ReadDatasetRequest:
    """Return the request for the rows of some columns from a row on."""
    request = pb.ReadDatasetRequest(
        name=source.name,
        columns=columns,
        start_row=start_row,
        matrix_columns=together,
        etag=source.etag,
    )
    reader = source.reader
    if reader is not None:
        project_id, _ = names.parse("projects/*/datasets/*", source.name, field="dataset")
        request.reader.CopyFrom(
            pb.DatasetReader(name=reader.name, since_microseconds=reader.since, admin=reader.admin)
        )
        if role := reader.project_roles.get(project_id):
            request.reader.role = role_numbers([role])[0]
    return request


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
