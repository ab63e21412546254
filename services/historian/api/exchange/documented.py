"""Documented: what the OpenAPI document says of an answer, made from the columns that it has."""

from collections.abc import Sequence
from typing import Any

from historian.api.formats.negotiation import MEDIA_TYPES, Format
from historian.api.problems import MEDIA_TYPE
from historian.api.questions.question import Column, Kind

_SCHEMAS: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": "string"},
    Kind.NUMBER: {"type": "number"},
    Kind.INTEGER: {"type": "integer"},
    Kind.FLAG: {"type": "boolean"},
    Kind.TIME: {"type": "string", "format": "date-time"},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.TEXTS: {"type": "array", "items": {"type": "string"}},
    Kind.DOCUMENT: {},
}
PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "The sort of problem: /problems/ and a name that stays."},
        "title": {"type": "string", "description": "The same for every problem of the sort."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, where, and what to do."},
        "near": {"type": "array", "items": {"type": "string"}, "description": "Names that may have been meant."},
    },
}
_PROBLEM = {
    "description": "A problem (RFC 9457).",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

_STREAMED = {
    MEDIA_TYPES[form].partition(";")[0]: {"schema": {"type": "string", "contentMediaType": MEDIA_TYPES[form].partition(";")[0]}}
    for form in (Format.CSV, Format.ARROW, Format.PARQUET)
}

Responses = dict[int | str, dict[str, Any]]


def pages_of(*alternatives: Sequence[Column]) -> Responses:
    """A page of rows; their columns, or one of several sets of them."""
    row = {"anyOf": [row_schema(columns) for columns in alternatives]} if len(alternatives) > 1 else row_schema(alternatives[0])
    schema = {
        "type": "object",
        "required": ["rows", "next"],
        "properties": {
            "rows": {"type": "array", "items": row},
            "next": {"type": ["string", "null"], "description": "Say it as `page` for what follows; null where nothing does."},
        },
    }
    told = answers(schema, "A page of rows; in other formats all of them.")
    told[200]["content"] |= _STREAMED
    return told


def answers(schema: dict[str, Any], meaning: str) -> Responses:
    """One JSON document, or a problem."""
    told = {"description": meaning, "content": {"application/json": {"schema": schema}}}
    return {200: told, "4XX": _PROBLEM, "5XX": _PROBLEM}


def row_schema(columns: Sequence[Column]) -> dict[str, Any]:
    """A row as an object; every value may be null."""
    return {"type": "object", "properties": {column.name: _schema(column) for column in columns}, "additionalProperties": False}


def _schema(column: Column) -> dict[str, Any]:
    schema = dict(_SCHEMAS[column.kind])
    if "type" in schema:
        schema["type"] = [schema["type"], "null"]
    unit = f" {column.unit}" if column.unit else ""
    return {**schema, "description": f"{column.meaning}{unit}"}
