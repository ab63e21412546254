"""Pacific time as the market counts it: trade dates, hour labels and interval numbers, on days of 23 and 25 hours too."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")
REPEATED_HOUR = 25
"""The label of the hour that comes twice when the clocks go back, between 2 and 3 (recorded in DAM and RTM)."""


def trade_date(at: datetime) -> date:
    """The trade date that a time belongs to."""
    return at.astimezone(PACIFIC).date()


def trade_day(day: date) -> tuple[datetime, datetime]:
    """Begin and end of a trade date in UTC."""
    begin, end = (datetime.combine(each, time(), PACIFIC) for each in (day, day + timedelta(days=1)))
    return begin.astimezone(UTC), end.astimezone(UTC)


def hour_label(start: datetime) -> int:
    """OPR_HR of an interval: the hour it ends in, 1 to 24; 3 is left out in spring, 25 is the second 2 in autumn."""
    local = start.astimezone(PACIFIC)
    begin, _ = trade_day(local.date())
    if local.fold and local.utcoffset() != begin.astimezone(PACIFIC).utcoffset():
        return REPEATED_HOUR
    return local.hour + 1


def interval_number(start: datetime, length: timedelta) -> int:
    """INTERVAL_NUM of the XML layout: intervals since the trade date began, from 1."""
    begin, _ = trade_day(trade_date(start))
    return (start - begin) // length + 1


def starts(start: datetime, end: datetime, length: timedelta) -> Iterator[datetime]:
    """The begins of all intervals that begin at `start` or later and before `end`."""
    step = length.total_seconds()
    at = datetime.fromtimestamp(-(-start.timestamp() // step) * step, UTC)
    while at < end:
        yield at
        at += length


def gmt(at: datetime) -> str:
    """A time as OASIS writes it in its files."""
    return f"{at:%Y-%m-%dT%H:%M:%S}-00:00"
