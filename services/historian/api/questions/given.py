"""Given: rows that were calculated as a question, so that every format can write them (pure).

They are bound as arrays, one for each column, and the database gives them back as rows.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from historian.api.questions.question import SQL_TYPES, Column, Kind, Question

_BETWEEN: Final = "\x1f"
"""Stands between the texts of one value, since arrays of arrays have one length each; no name has it."""


def given(question: Question, rows: Sequence[Sequence[object]]) -> Question:
    """The rows in the place of a question's own, in their order."""
    places = range(len(question.columns))
    columns = [[_bound(row[place]) for row in rows] for place in places]
    arrays = ", ".join(f"%(given_{place})s::{_bound_type(question.columns[place])}[]" for place in places)
    names = ", ".join(f"c{place}" for place in places)
    shown = ", ".join(_shown(question, place) for place in places)
    sql = f"SELECT {shown} FROM unnest({arrays}) WITH ORDINALITY AS given ({names}, number) ORDER BY number"  # noqa: S608  # ours
    parameters = {f"given_{place}": column for place, column in enumerate(columns)}
    return replace(question, sql=sql, parameters=parameters, key=())


def _bound_type(column: Column) -> str:
    return SQL_TYPES[Kind.TEXT if column.kind is Kind.TEXTS else column.kind]


def _bound(value: object) -> object:
    return _BETWEEN.join(map(str, value)) if isinstance(value, list) else value


def _shown(question: Question, place: int) -> str:
    column = question.columns[place]
    value = f"string_to_array(c{place}, E'\\x1f')" if column.kind is Kind.TEXTS else f"c{place}"
    return f"{value} AS {column.name}"
