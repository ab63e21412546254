"""A month by hour: a trade date is a row, an hour of California's clock a column (pure).

The hour that is there twice has a second column, in which other dates have nothing; the one that does not exist has no cell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Final

from historian.api.request.times import PACIFIC, trade_day
from historian.pictures.lines import Row

SHARES: Final = (0.2, 0.4, 0.6, 0.8)
"""Above so many of the prices each shade begins."""
SPIKE_SHARE: Final = 0.98
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)


class Kind(Enum):
    """How a cell looks."""

    SHADE = "shade"
    SPIKE = "spike"
    NEGATIVE = "negative"
    MISSING = "missing"


@dataclass(frozen=True)
class Month:
    """A month.

    Attributes:
        unit: of its cells.
        days: its trade dates.
        columns: the hours that begin, by California's clock; with a + those that come a second time.
        cells: the value of each hour that exists, by date and column; None where there is none.
    """

    unit: str
    days: Sequence[date]
    columns: Sequence[str]
    cells: Mapping[tuple[date, str], float | None]

    @property
    def limits(self) -> list[float]:
        """Above what each shade begins, the lowest left out, and above what a value is a spike; empty without any value."""
        values = sorted(value for value in self.cells.values() if value is not None)
        shares = (*SHARES, SPIKE_SHARE)
        return [values[min(len(values) - 1, int(share * len(values)))] for share in shares] if values else []


def month_of(rows: Sequence[Row], column: str, first: date, unit: str) -> Month:
    """The month that begins with a date, of rows by hour."""
    of_hour = {row["interval_start"].astimezone(UTC): row[column] for row in rows}
    days = [first + number * _DAY for number in range(31) if (first + number * _DAY).month == first.month]
    hours = {(day, name): at for day in days for name, at in hours_of(day).items()}
    columns = sorted({name for _, name in hours})
    return Month(unit, days, columns, {place: of_hour.get(at) for place, at in hours.items()})


def hours_of(day: date) -> Mapping[str, datetime]:
    """When each hour of a trade date begins, by its name."""
    times, hours = trade_day(day), dict[str, datetime]()
    at = times.start.astimezone(UTC)
    while at < times.end:
        name = f"{at.astimezone(PACIFIC):%H}"
        hours[f"{name}+" if name in hours else name] = at
        at += _HOUR
    return hours


def kind_of(value: float | None, limits: Sequence[float]) -> tuple[Kind, int]:
    """How a value looks, and its shade from the lowest (0) on."""
    if value is None:
        return Kind.MISSING, 0
    if value < 0:
        return Kind.NEGATIVE, 0
    *shades, spike = limits
    return (Kind.SPIKE, 0) if value > spike else (Kind.SHADE, sum(value > limit for limit in shades))
