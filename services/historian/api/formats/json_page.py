"""JSON: a page of rows, as objects with the names of their columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from historian.api.asked.pages import next_page
from historian.api.asked.times import Shown
from historian.api.questions.question import Kind, Question, page_of
from historian.api.reading import Reading, Row


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
    asked = page_of(question, limit + 1, after)
    rows = reading.rows(asked.sql, asked.parameters)
    told = rows[:limit] if question.key else rows
    return page_with(question, told, shown, is_last=len(rows) == len(told))


def page_with(question: Question, told: Sequence[Row], shown: Shown, *, is_last: bool) -> Page:
    """Rows that are there already as a page."""
    following = None if is_last else next_page(question, told[-1])
    return Page(msgspec.json.encode({"rows": objects(question, told, shown), "next": following}), following)


def objects(question: Question, rows: Sequence[Row], shown: Shown) -> list[dict[str, object]]:
    """Rows as objects, their times in the zone that was asked for."""
    names = [column.name for column in question.columns]
    times = [place for place, column in enumerate(question.columns) if column.kind is Kind.TIME]
    return [dict(zip(names, _with_times(row, times, shown), strict=True)) for row in rows]


def _with_times(row: Row, places: Sequence[int], shown: Shown) -> Sequence[object]:
    values = list(row)
    for place in places:
        if (value := values[place]) is not None:
            values[place] = shown(value)  # type: ignore[arg-type]  # a column of times
    return values
