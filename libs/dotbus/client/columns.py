"""Columns: what an answer's columns hold, as the API's own OpenAPI document says (pure).

A page of JSON does not say what is a time, and one without rows not even which columns there are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

UTC, PACIFIC = ZoneInfo("UTC"), ZoneInfo("America/Los_Angeles")


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "string"
    NUMBER = "number"
    INTEGER = "integer"
    FLAG = "boolean"
    TIME = "date-time"
    DATE = "date"
    TEXTS = "array"
    DOCUMENT = "document"


Json: TypeAlias = Any
"""What JSON can hold."""
Schema: TypeAlias = Mapping[str, Any]
Kinds: TypeAlias = Mapping[str, Kind]


def kinds_of(document: Schema, path: str, names: Iterable[str]) -> Kinds:
    """The columns of the rows of a question, of several sets of columns the one with these names.

    Raises:
        KeyError: the API has no such question.
    """
    rows = _answer(document, path)["properties"]["rows"]["items"]
    alternatives: Sequence[Schema] = rows.get("anyOf", [rows])
    wanted = set(names)
    fitting = (one for one in alternatives if wanted <= one["properties"].keys())
    properties = next(fitting, alternatives[0])["properties"]
    return {name: kind_of(schema) for name, schema in properties.items()}


def kind_of(schema: Schema) -> Kind:
    """What a value of a schema is; one that may be anything is a document."""
    told = schema.get("type", ())
    types = [told] if isinstance(told, str) else [one for one in told if one != "null"]
    if schema.get("format") in {Kind.TIME, Kind.DATE}:
        return Kind(schema["format"])
    return Kind(types[0]) if len(types) == 1 and types[0] != "object" else Kind.DOCUMENT


def reader_of(kind: Kind, zone: ZoneInfo) -> Callable[[Json], object] | None:
    """What makes of a value in JSON one of Python; None where it is one already. Absent stays None."""
    if kind is Kind.TIME:
        return lambda text: None if text is None else datetime.fromisoformat(text).astimezone(zone)
    if kind is Kind.DATE:
        return lambda text: None if text is None else date.fromisoformat(text)
    return None


def typed_document(document: Schema, path: str, value: Json, zone: ZoneInfo) -> Json:
    """The one document that a question is answered with, its times as times."""
    return _typed(_answer(document, path), value, zone)


def _typed(schema: Schema, value: Json, zone: ZoneInfo) -> Json:
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        return {name: _typed(properties.get(name, {}), one, zone) for name, one in value.items()}
    if isinstance(value, list):
        return [_typed(schema.get("items", {}), one, zone) for one in value]
    reads = reader_of(kind_of(schema), zone)
    return reads(value) if reads else value


def _answer(document: Schema, path: str) -> Schema:
    schema: Schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    return schema
