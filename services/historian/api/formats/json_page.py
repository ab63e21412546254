"""JSON: a page of rows, as objects with the names of their columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from historian.api.questions.question import Kind, Question, page_of
from historian.api.reading import Reading, Row
from historian.api.request.pages import next_page
from historian.api.request.times import Shown, in_utc


@dataclass(frozen=True)
class Page:
    """Rows of a question.

    Attributes:
        body: the JSON.
        next: the word for the page after it; None when this is the last one.
    """

    body: bytes
    next: str | None


def read_page(reading: Reading, question: Question, limit: int, after: tuple[object, ...] | None, shown: Shown) -> Page:
    """Ask for a page. One row more is asked for than is told: it says whether there is another page."""
    told, is_last = rows_of(reading, question, limit, after)
    return page_with(question, told, shown, is_last=is_last)


def rows_of(reading: Reading, question: Question, limit: int, after: tuple[object, ...] | None) -> tuple[Sequence[Row], bool]:
    """The rows of a page, and whether they are the last ones."""
    asked = page_of(question, limit + 1, after)
    read = reading.rows_as_planned if asked.is_planned_once else reading.rows
    rows = read(asked.sql, asked.parameters)
    told = rows[:limit] if question.key else rows
    return told, len(rows) == len(told)


def page_with(question: Question, told: Sequence[Row], shown: Shown, *, is_last: bool) -> Page:
    """Rows that are there already as a page."""
    following = None if is_last else next_page(question, told[-1])
    return Page(msgspec.json.encode({"rows": objects(question, told, shown), "next": following}), following)


def objects(question: Question, rows: Sequence[Row], shown: Shown) -> Sequence[object]:
    """Rows as objects, their times in the zone that was asked for."""
    row_type = _row_type(tuple(column.name for column in question.columns))
    if shown is in_utc:  # as the database tells them
        return [row_type(*row) for row in rows]
    times = [place for place, column in enumerate(question.columns) if column.kind is Kind.TIME]
    return [row_type(*_with_times(row, times, shown)) for row in rows]


@cache
def _row_type(names: tuple[str, ...]) -> type[msgspec.Struct]:
    """A row with these columns. To make and to write one takes a third of the time of a dictionary."""
    return msgspec.defstruct("Row", [str(name) for name in names])  # names of tables are of a kind of text of their own


def _with_times(row: Row, places: Sequence[int], shown: Shown) -> Sequence[object]:
    values = list(row)
    for place in places:
        if (value := values[place]) is not None:
            values[place] = shown(value)  # type: ignore[arg-type]  # a column of times
    return values
