"""Question: SQL, what is bound to it, and what its columns mean. Pure functions make it; formats make bytes of its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    FLAG = "flag"
    TIME = "time"
    DATE = "date"
    TEXTS = "texts"
    DOCUMENT = "document"


SQL_TYPES: Mapping[Kind, str] = {
    Kind.TEXT: "text",
    Kind.NUMBER: "double precision",
    Kind.INTEGER: "bigint",
    Kind.FLAG: "boolean",
    Kind.TIME: "timestamptz",
    Kind.DATE: "date",
    Kind.TEXTS: "text[]",
    Kind.DOCUMENT: "text",
}
"""PostgreSQL's plain type of each kind."""


@dataclass(frozen=True)
class Column:
    """A column of an answer.

    Attributes:
        name: ends in its unit, where it has one.
        kind: what its values are; every one may be absent, which is null.
        unit: as people write it: MW, USD/MWh, s; empty for what has none.
        meaning: a sentence, with its source where that matters.
    """

    name: str
    kind: Kind
    unit: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked of the database.

    Attributes:
        sql: one SELECT in psycopg's style: a value stands as %(name)s, a percent sign as %%. It is ordered by `key`.
        parameters: the values. Nothing that came from outside is ever in `sql`.
        columns: of the answer, in their order.
        key: names of the columns that the rows are ordered by, ascending, and that tell each row from all others: what a page
            goes on from. No value of them is null. Empty for what has one page.
        soonest: the same rows in whatever order they come soonest, for who wants all of many; empty where `sql` is as good.
        is_planned_once: whether a session plans it once for all values: where planning takes longer than the rows, and one plan
            serves all of them.
    """

    sql: str
    parameters: Mapping[str, object]
    columns: tuple[Column, ...]
    key: tuple[str, ...] = field(default=())
    soonest: str = ""
    is_planned_once: bool = False

    def named(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)


def page_of(question: Question, limit: int, after: tuple[object, ...] | None) -> Question:
    """The rows of a question that come after a key, as many as `limit`; all of its first ones without one."""
    if not question.key:
        return question
    keys = ", ".join(question.key)
    bound = {f"after_{number}": value for number, value in enumerate(after or ())}
    beyond = f"WHERE ({keys}) > ({', '.join(f'%({name})s' for name in bound)})" if bound else ""
    # Said beside it, since PostgreSQL begins at a row of an index by the first column alone.
    beyond += f" AND {question.key[0]} >= %(after_0)s" if bound else ""
    names = ", ".join(column.name for column in question.columns)
    sql = f"SELECT {names} FROM ({question.sql}) AS asked {beyond} ORDER BY {keys} LIMIT %(page_rows)s"  # noqa: S608  # names of ours
    return replace(question, sql=sql, soonest="", parameters={**question.parameters, **bound, "page_rows": limit})


def all_of(question: Question) -> Question:
    """Every row of a question: by its key, or as they come soonest where it says how."""
    if question.soonest:
        return replace(question, sql=question.soonest)
    if not question.key:
        return question
    return replace(question, sql=f"SELECT * FROM ({question.sql}) AS asked ORDER BY {', '.join(question.key)}")  # noqa: S608
