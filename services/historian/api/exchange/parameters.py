"""Parameters: those that many endpoints have, and how each is said."""

import re
from typing import Annotated, Any, Final, get_origin

from fastapi import Query, Request
from fastapi.dependencies.utils import get_flat_params
from pydantic import BaseModel, BeforeValidator, ConfigDict

from historian.api.problems import Problem, Sort
from historian.api.questions.spans import Span
from historian.api.request.pages import DEFAULT_ROWS, MOST_CHARACTERS, MOST_ROWS
from historian.api.request.times import Zone

_WHOLE: Final = re.compile("-?[0-9]{1,18}")


def _written_plainly(number: object) -> object:
    if isinstance(number, str) and not _WHOLE.fullmatch(number):
        raise ValueError("it is no whole number; say one in digits alone")
    return number


IN_DIGITS: Final = BeforeValidator(_written_plainly)
"""Of a whole number, after its bounds: `10_0`, ` 10` and `10.0` would be taken for one, too."""
Text = Annotated[str, Query(min_length=1, max_length=200)]
"""A word of a question."""
SpanAsked = Annotated[
    Span,
    Query(
        description="overlap: all that has a part in the range, so also what began before and is still in force; start: what"
        " starts in it, so that of ranges side by side one alone has it."
    ),
]


def require_said_once(request: Request) -> None:
    """See that nothing is said twice of which there is one: the last word would be taken, and the others passed over.

    Raises:
        Problem: something is.
    """
    named = [name for name, _ in request.query_params.multi_items()]
    if len(named) == len(set(named)):
        return
    dependant = getattr(request.scope.get("route"), "dependant", None)
    of_one = {one.alias for one in (get_flat_params(dependant) if dependant else ()) if not _is_several(one)}
    if twice := [name for name in dict.fromkeys(named) if named.count(name) > 1 and name in of_one]:
        said = f"{', '.join(twice)}: said more than once; say one, and ask once for each"
        raise Problem(Sort.BAD_PARAMETER, said)


def _is_several(parameter: Any) -> bool:  # noqa: ANN401  # FastAPI's, of no public type
    return get_origin(parameter.field_info.annotation) is tuple


class Parameters(BaseModel):
    """What a question may say. What it does not know is refused: a slip of the pen must not pass for an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tz: Annotated[
        Zone | None,
        Query(description="How a time without zone is meant, and in which zone times are answered; UTC if not said."),
    ] = None


class PageParameters(Parameters):
    """A question that is answered in pages."""

    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows of a page."), IN_DIGITS] = DEFAULT_ROWS
    page: Annotated[
        str | None, Query(max_length=MOST_CHARACTERS, description="`next` of the page before; all else as it was.")
    ] = None


class RangeParameters(PageParameters):
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
