"""Lines: rows of the API as points of a picture, in which what is absent stays a gap (pure)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

Row: TypeAlias = Mapping[str, Any]
Point: TypeAlias = tuple[datetime, float | None]
GOOD: Final = 192
UNCERTAIN: Final = 64


@dataclass(frozen=True)
class Line:
    """A line.

    Attributes:
        label: what it is.
        points: in the order of time; None ends it until the next one.
    """

    label: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Doubt:
    """A stretch in which a value was not good."""

    start: datetime
    end: datetime
    is_bad: bool


def steps(label: str, rows: Sequence[Row], column: str) -> Line:
    """A line of intervals: each holds from its start to its end."""
    points: list[Point] = []
    for row in rows:
        if points and points[-1][0] < row["interval_start"]:
            points.append((points[-1][0], None))
        points += [(row["interval_start"], row[column]), (row["interval_end"], row[column])]
    return Line(label, points)


def through(label: str, rows: Sequence[Row], column: str) -> Line:
    """A line through moments."""
    return Line(label, [(row["time"], row[column]) for row in rows])


def doubts(rows: Sequence[Row], step: timedelta) -> Iterator[Doubt]:
    """The stretches in which moments were not good."""
    last: Doubt | None = None
    for row in rows:
        if row["quality"] == GOOD:
            continue
        one = Doubt(row["time"], row["time"] + step, is_bad=row["quality"] < UNCERTAIN)
        if last and last.end == one.start and last.is_bad == one.is_bad:
            last = Doubt(last.start, one.end, last.is_bad)
            continue
        if last:
            yield last
        last = one
    if last:
        yield last


def missing(rows: Sequence[Row], column: str, start: datetime, end: datetime) -> timedelta:
    """How much of a range no row has a value for."""
    there = [(max(row["interval_start"], start), min(row["interval_end"], end)) for row in rows if row[column] is not None]
    return (end - start) - sum((to - of for of, to in there if to > of), timedelta())


def last_of(rows: Iterable[Row], column: str) -> datetime | None:
    """The latest time in a column."""
    return max((row[column] for row in rows if row[column] is not None), default=None)
