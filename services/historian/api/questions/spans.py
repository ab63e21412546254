"""Spans: which intervals belong to a range of time: those that have a part in it, or those that start in it alone (pure).

What began before is looked for in two places: among all that began within a day, and by an index of its own among what is
longer than a day, which little is. So nobody reads three months to find one exceptional dispatch.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

from historian.api.request.times import Range

LOOK_BACK: Final = timedelta(days=1)
"""What lasts no longer began after it."""
LONGEST: Final = timedelta(days=92)
"""What began no longer ago, and reaches into a range, counts in it."""
IS_LONG: Final = "{of}interval_end - {of}interval_start > interval '1 day'"
"""As the index `instruction_long` has it."""


class Span(StrEnum):
    """Which intervals belong to a range."""

    OVERLAP = "overlap"
    START = "start"


def starts_in(of: str = "") -> str:
    """A condition of SQL: an interval starts in the range. `of` is the alias of its table (`i.`), or empty."""
    return f"{of}interval_start >= %(start)s AND {of}interval_start < %(end)s"


def has_part(of: str = "") -> str:
    """An interval has a part in the range, and began no more than a day before it."""
    return f"{of}interval_start >= %(first)s AND {of}interval_start < %(end)s AND {of}interval_end > %(start)s"


def reaches_in(of: str = "") -> str:
    """It has a part in the range, and began longer ago."""
    began = f"{of}interval_start >= %(longest)s AND {of}interval_start < %(first)s"
    return f"{IS_LONG.format(of=of)} AND {of}interval_end > %(start)s AND {began}"


def bounds_of(times: Range) -> Mapping[str, object]:
    """What is bound to these conditions."""
    return {"start": times.start, "end": times.end, "first": times.start - LOOK_BACK, "longest": times.start - LONGEST}
