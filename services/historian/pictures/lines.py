"""Lines: rows of the API as points of a picture, in which what is absent stays a gap (pure)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

Row: TypeAlias = Mapping[str, Any]
Point: TypeAlias = tuple[datetime | float, float | None]
"""Where from left to right (a time, or a number), and how high."""
GOOD: Final = 192
UNCERTAIN: Final = 64
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Line:
    """A line.

    Attributes:
        label: what it is.
        points: from left to right; None ends it until the next one.
    """

    label: str
    points: Sequence[Point]


@dataclass(frozen=True)
class QualityBand:
    """A stretch in which a value was not good."""

    start: datetime
    end: datetime
    is_bad: bool


def steps(label: str, rows: Sequence[Row], column: str) -> Line:
    """A line of intervals: each holds from its start to its end."""
    points: list[Point] = []
    until: datetime | None = None
    for row in rows:
        if until and until < row["interval_start"]:
            points.append((until, None))
        until = row["interval_end"]
        points += [(row["interval_start"], row[column]), (row["interval_end"], row[column])]
    return Line(label, points)


def from_start(rows: Iterable[Row], start: datetime) -> list[Row]:
    """Intervals, those that began before a range from its start on: one that began months ago would make all others narrow."""
    return [{**row, "interval_start": max(row["interval_start"], start)} for row in rows]


def hours_since(midnight: datetime, line: Line) -> Line:
    """A line through times as one through the hours that have passed since midnight: 23 or 25 in all where clocks change."""
    points = [((at - midnight) / _HOUR if isinstance(at, datetime) else at, value) for at, value in line.points]
    return Line(line.label, points)


def duration(label: str, rows: Iterable[Row], column: str) -> Line:
    """For which share of the time (percent) a value was at least so high: from the highest down, each as long as it held.

    A mean holds for the part of its time that has values (`covered_s`). What is absent counts for nothing.
    """
    held = sorted(((row[column], _held_s(row)) for row in rows if row[column] is not None), reverse=True)
    whole_s, passed_s = sum(length_s for _, length_s in held), 0.0
    points: list[Point] = []
    for value, length_s in held:
        points.append((100 * passed_s / whole_s, value))
        passed_s += length_s
        points.append((100 * passed_s / whole_s, value))
    return Line(label, points)


def _held_s(row: Row) -> float:
    length: timedelta = row["interval_end"] - row["interval_start"]
    return float(row.get("covered_s", length.total_seconds()))


def through(label: str, rows: Sequence[Row], column: str) -> Line:
    """A line through moments."""
    return Line(label, [(row["time"], row[column]) for row in rows])


def doubts(rows: Sequence[Row], step: timedelta) -> Iterator[QualityBand]:
    """The stretches in which moments were not good."""
    last: QualityBand | None = None
    for row in rows:
        if row["quality"] == GOOD:
            continue
        one = QualityBand(row["time"], row["time"] + step, is_bad=row["quality"] < UNCERTAIN)
        if last and last.end == one.start and last.is_bad == one.is_bad:
            last = QualityBand(last.start, one.end, last.is_bad)
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
