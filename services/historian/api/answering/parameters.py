"""Parameters: those that many endpoints have."""

from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, BaseModel, ConfigDict

from historian.api.asked.pages import DEFAULT_ROWS, MOST_CHARACTERS, MOST_ROWS
from historian.api.asked.times import Zone


def _can_be_kept(text: str) -> str:
    if "\0" in text:
        raise ValueError("U+0000 is in it, which no text of the database holds")
    return text


Text = Annotated[str, Query(min_length=1, max_length=200), AfterValidator(_can_be_kept)]
"""A word of a question."""


class Asked(BaseModel):
    """What a question may say. What it does not know is refused: a slip of the pen must not pass for an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tz: Annotated[
        Zone | None,
        Query(description="How a time without zone is meant, and in which zone times are answered; UTC if not said."),
    ] = None


class PageAsked(Asked):
    """A question that is answered in pages."""

    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows of a page.")] = DEFAULT_ROWS
    page: Annotated[
        str | None, Query(max_length=MOST_CHARACTERS, description="`next` of the page before; all else as it was.")
    ] = None


class RangeAsked(PageAsked):
    """A question about a range of time."""

    start: Annotated[
        Text,
        Query(
            description="Start of the range: ISO 8601 with Z or an offset, a trade date (2026-03-01), today, yesterday,"
            " tomorrow or now."
        ),
    ] = "today"
    end: Annotated[
        Text | None,
        Query(description="End of the range, which does not belong to it; the end of the trade date of `start` if not said."),
    ] = None
