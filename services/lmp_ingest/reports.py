"""The four OASIS reports that hold locational marginal prices, and when each is published.

Source: OASIS interface specification 4.3.5, section 5 (reports) and its example URLs; publication times as measured from
recorded replies and named in CAISO's Business Practice Manual for market operations.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from dotbus.runtime.installation.toml_values import Market

PACIFIC = ZoneInfo("America/Los_Angeles")
"""Trade days are Pacific; everything else here is UTC."""

MAX_NODES = 10
"""Nodes that one request may name (error 1017)."""

RETENTION = timedelta(days=39 * 30)
"""How far back SingleZip answers: about 39 months, rolling."""

_DAY_AHEAD_AT = time(13)
_DAY_AHEAD_GRACE = timedelta(hours=6)
_REAL_TIME_GRACE = timedelta(hours=1)


@dataclass(frozen=True)
class Report:
    """One report: its name, the length of its intervals, and how far before their start CAISO publishes them."""

    query_name: str
    interval: timedelta
    ahead: timedelta


REPORTS: Mapping[Market, Report] = MappingProxyType(
    {
        Market.DAM: Report("PRC_LMP", timedelta(hours=1), timedelta(days=1, hours=11)),
        # The hour 13 to 14 was there at 12:09, so two hours and one to spare.
        Market.HASP: Report("PRC_HASP_LMP", timedelta(minutes=15), timedelta(hours=3)),
        Market.RTPD: Report("PRC_RTPD_LMP", timedelta(minutes=15), timedelta(hours=1)),
        Market.RTM: Report("PRC_INTVL_LMP", timedelta(minutes=5), timedelta(minutes=15)),
    }
)


def midnight(day: date) -> datetime:
    """The UTC time at which a Pacific trade day begins; with the next day's it spans 23, 24 or 25 real hours."""
    return datetime.combine(day, time(), PACIFIC).astimezone(UTC)


def trade_day(at: datetime) -> date:
    """The Pacific trade day that a time belongs to."""
    return at.astimezone(PACIFIC).date()


def floor(at: datetime, interval: timedelta) -> datetime:
    """The start of the interval that a time falls into."""
    return at - (at - at.min.replace(tzinfo=at.tzinfo)) % interval


def window_end(market: Market, now: datetime) -> datetime:
    """Where every question ends, in the future. Nothing is published beyond it: who says so is wrong, or its clock was."""
    if market is Market.DAM:
        return midnight(trade_day(now) + timedelta(days=2))
    report = REPORTS[market]
    return floor(now + report.ahead + report.interval, report.interval)


def due_by(market: Market, interval_start: datetime) -> datetime:
    """When an interval's price must be published at the latest; before that, "no data" only means not yet."""
    if market is Market.DAM:
        day_before = trade_day(interval_start) - timedelta(days=1)
        return datetime.combine(day_before, _DAY_AHEAD_AT, PACIFIC).astimezone(UTC) + _DAY_AHEAD_GRACE
    return interval_start + REPORTS[market].interval + _REAL_TIME_GRACE
