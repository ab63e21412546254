"""Frames: what was told as a table of pandas or polars, or as plain rows. Of one answer they are the same, however it came.

Times have a zone, whole numbers stay whole also where one is absent, and absent is the frame's own word for it.
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.util import find_spec
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from dotbus.client.columns import Json, Kind, Kinds, reader_of

Frame: TypeAlias = Any
"""A pandas.DataFrame, a polars.DataFrame or a list of dictionaries: as `into` says."""


ArrowTable: TypeAlias = Any
"""A pyarrow.Table."""


class Into(StrEnum):
    """What an answer becomes."""

    PANDAS = "pandas"
    POLARS = "polars"
    ROWS = "rows"


def preferred() -> Into:
    """Pandas where it is installed, else polars, else rows."""
    return next((into for into in (Into.PANDAS, Into.POLARS) if find_spec(into)), Into.ROWS)


def of_rows(rows: Sequence[Mapping[str, Any]], kinds: Kinds, zone: ZoneInfo, into: Into) -> Frame:
    """A frame of JSON's rows."""
    names = list(rows[0]) if rows else list(kinds)
    columns = {name: _read([row[name] for row in rows], kinds.get(name, Kind.DOCUMENT), zone) for name in names}
    if into is Into.PANDAS:
        return _pandas_of_columns(columns, kinds, zone)
    if into is Into.POLARS:
        return _polars_of_columns(columns, kinds, zone)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def of_arrow(table: ArrowTable, kinds: Kinds, into: Into) -> Frame:
    """A frame of a table of Arrow's."""
    if into is Into.PANDAS:
        return _pandas_of_arrow(table, kinds)
    if into is Into.POLARS:
        import polars as pl  # noqa: PLC0415  # optional

        return pl.from_arrow(table)
    rows = table.to_pylist()
    for name in _of_kind(Kind.DOCUMENT, table.column_names, kinds):
        for row in rows:
            row[name] = _parsed(row[name])
    return rows


def _read(values: list[Any], kind: Kind, zone: ZoneInfo) -> list[Any]:
    reads = reader_of(kind, zone)
    return [reads(value) for value in values] if reads else values


def _of_kind(kind: Kind, names: Sequence[str], kinds: Kinds) -> list[str]:
    return [name for name in names if kinds.get(name) is kind]


def _parsed(text: str | None) -> Json:
    return None if text is None else json.loads(text)


def _pandas_of_columns(columns: Mapping[str, list[Any]], kinds: Kinds, zone: ZoneInfo) -> Frame:
    import pandas as pd  # noqa: PLC0415  # optional

    types = {
        Kind.TEXT: pd.StringDtype(),
        Kind.NUMBER: "float64",
        Kind.INTEGER: "Int64",
        Kind.FLAG: "boolean",
        Kind.TIME: pd.DatetimeTZDtype("us", zone),
    }
    return pd.DataFrame(
        {name: pd.Series(values, dtype=types.get(_kind(name, kinds), "object")) for name, values in columns.items()}
    )


def _pandas_of_arrow(table: ArrowTable, kinds: Kinds) -> Frame:
    import pandas as pd  # noqa: PLC0415  # optional
    import pyarrow as pa  # noqa: PLC0415  # optional

    types = {pa.string(): pd.StringDtype(), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    plain = [name for name in table.column_names if _kind(name, kinds) not in {Kind.DOCUMENT, Kind.TEXTS}]
    frame = table.select(plain).to_pandas(types_mapper=types.get)
    for place, name in enumerate(table.column_names):
        if name not in plain:
            values = table.column(name).to_pylist()
            parsed = values if _kind(name, kinds) is Kind.TEXTS else [_parsed(value) for value in values]
            frame.insert(place, name, pd.Series(parsed, dtype="object"))
    return frame


def _polars_of_columns(columns: Mapping[str, list[Any]], kinds: Kinds, zone: ZoneInfo) -> Frame:
    """A document stays JSON's text: polars has a type for one of known shape alone (`.str.json_decode`)."""
    import polars as pl  # noqa: PLC0415  # optional

    types: dict[Kind, Any] = {
        Kind.TEXT: pl.String,
        Kind.NUMBER: pl.Float64,
        Kind.INTEGER: pl.Int64,
        Kind.FLAG: pl.Boolean,
        Kind.TIME: pl.Datetime("us", str(zone)),
        Kind.DATE: pl.Date,
        Kind.TEXTS: pl.List(pl.String),
        Kind.DOCUMENT: pl.String,
    }
    told = {name: _written(values) if _kind(name, kinds) is Kind.DOCUMENT else values for name, values in columns.items()}
    return pl.DataFrame([pl.Series(name, values, dtype=types[_kind(name, kinds)]) for name, values in told.items()])


def _written(values: list[Json]) -> list[str | None]:
    return [None if value is None else json.dumps(value) for value in values]


def _kind(name: str, kinds: Kinds) -> Kind:
    return kinds.get(name, Kind.DOCUMENT)
