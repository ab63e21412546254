"""Calendar: trade days. They are Pacific, of 23, 24 or 25 hours; everything else here is UTC. Pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")
_DAY = timedelta(days=1)


def midnight(day: date) -> datetime:
    """The UTC time at which a Pacific trade day begins; with the next day's it spans 23, 24 or 25 real hours."""
    return datetime.combine(day, time(), PACIFIC).astimezone(UTC)


def trade_day(at: datetime) -> date:
    """The Pacific trade day that a time belongs to."""
    return at.astimezone(PACIFIC).date()


def trade_days(start: datetime, end: datetime) -> Iterator[date]:
    """The trade days that a time from `start` to `end`, exclusive, touches."""
    day = trade_day(start)
    while midnight(day) < end:
        yield day
        day += _DAY


def floor(at: datetime, interval: timedelta) -> datetime:
    """The start of the interval that a time falls into."""
    return at - (at - at.min.replace(tzinfo=at.tzinfo)) % interval


def ceiling(at: datetime, interval: timedelta) -> datetime:
    """The start of the first interval that begins at a time or after it."""
    below = floor(at, interval)
    return below if below == at else below + interval


def interval_starts(start: datetime, end: datetime, interval: timedelta) -> list[datetime]:
    """The starts of all intervals that begin from `start` on and before `end`, counted in real time (UTC)."""
    first = floor(start.astimezone(UTC), interval)
    first += interval if first < start else timedelta(0)
    count = max(0, -((first - end) // interval))
    return [first + number * interval for number in range(count)]
