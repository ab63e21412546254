"""Schema: the columns of an answer as Arrow has them, with the unit and the meaning of each."""

from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

from historian.api.questions.question import Column, Kind
from historian.api.request.times import Zone

_TYPES: Mapping[Kind, pa.DataType] = {
    Kind.DATE: pa.date32(),
    Kind.TEXT: pa.string(),
    Kind.NUMBER: pa.float64(),
    Kind.INTEGER: pa.int64(),
    Kind.FLAG: pa.bool_(),
    Kind.TEXTS: pa.list_(pa.string()),
    Kind.DOCUMENT: pa.string(),
}


def schema_of(columns: Iterable[Column], zone: Zone) -> pa.Schema:
    """Fields in the order of the columns. Times are microseconds with their zone; `unit` and `meaning` are metadata."""
    return pa.schema([pa.field(column.name, _type(column, zone), metadata=_metadata(column)) for column in columns])


def as_said(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The same rows under the fields of the schema. Times stay the instants that they are; only their zone is named.

    Nothing is computed: to cast, Arrow would load every function that it has, which is 20 MiB.
    """
    for batch in batches:
        arrays = [_under(array, field.type) for array, field in zip(batch.columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _under(array: pa.Array, kind: pa.DataType) -> pa.Array:
    return array if array.type == kind else array.view(kind)


def _type(column: Column, zone: Zone) -> pa.DataType:
    return pa.timestamp("us", zone.info.key) if column.kind is Kind.TIME else _TYPES[column.kind]


def _metadata(column: Column) -> dict[str, str]:
    told = {"unit": column.unit, "meaning": column.meaning}
    return {name: text for name, text in told.items() if text}


def row_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema, rows: int) -> Iterator[pa.Table]:
    """Batches gathered to so many rows, which is what a file by groups is read and packed well by."""
    gathered: list[pa.RecordBatch] = []
    for batch in batches:
        gathered.append(batch)
        if sum(one.num_rows for one in gathered) >= rows:
            yield pa.Table.from_batches(gathered, schema)
            gathered = []
    if gathered:
        yield pa.Table.from_batches(gathered, schema)
