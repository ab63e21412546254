"""Reports: the reports of OASIS that hold locational marginal prices, and when each market is published.

Source: OASIS interface specification 4.3.5, sections 4 (reports) and 6 (example URLs); publication times as measured from
recorded replies and named in CAISO's Business Practice Manual for market operations.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType

from caiso.oasis.calendar import PACIFIC, floor, midnight, trade_day

MAX_NODES = 10
"""Nodes that one request may name (error 1017)."""
MAX_DAYS = 30
"""Pacific days that one request for named nodes may span. CAISO's limit is 31 (error 1004), counted in ways that differ."""
RETENTION = timedelta(days=39 * 30)
"""How far back SingleZip answers: about 39 months, rolling."""
USD_PER_MWH = "US$/MWh"
"""The unit of prices in the header of an XML report (UOM); tables name none."""

_HOUR, _QUARTER, _FIVE = timedelta(hours=1), timedelta(minutes=15), timedelta(minutes=5)
_DAY = timedelta(days=1)
_DAY_AHEAD_AT = time(13)
_DAY_AHEAD_GRACE = timedelta(hours=6)
_REAL_TIME_GRACE = timedelta(hours=1)
_NEWEST_WITHIN = timedelta(hours=2)


class Market(StrEnum):
    """A market, by CAISO's market_run_id."""

    DAM = "DAM"
    """Day-ahead: hours of a trade day, published the day before by 13:00 Pacific."""
    RUC = "RUC"
    """Residual unit commitment, after the day-ahead market: LMP alone."""
    HASP = "HASP"
    """Hour-ahead: the four quarters of an hour."""
    RTPD = "RTPD"
    """Fifteen-minute market."""
    RTM = "RTM"
    """Five-minute real-time dispatch."""


class Component(StrEnum):
    """What a price is made of, by LMP_TYPE."""

    LMP = "LMP"
    ENERGY = "MCE"
    CONGESTION = "MCC"
    LOSS = "MCL"
    GHG = "MGHG"


DATA_ITEMS: Mapping[str, Component] = MappingProxyType(
    {
        "LMP_PRC": Component.LMP,
        "LMP_ENE_PRC": Component.ENERGY,
        "LMP_CONG_PRC": Component.CONGESTION,
        "LMP_LOSS_PRC": Component.LOSS,
        "LMP_GHG_PRC": Component.GHG,
    }
)
"""The same in XML, by DATA_ITEM."""


@dataclass(frozen=True)
class Report:
    """The prices of one market.

    Attributes:
        query_name: of the report in SingleZip.
        group_id: of the same, for all nodes, in GroupZip.
        version: that is asked for unless another is wanted.
        interval: how long each price holds.
        ahead: how long before its start an interval may be published at the earliest.
        span: of what a request for a whole group of nodes is answered, whatever its end: a trade day, or an hour (section 6).
    """

    query_name: str
    group_id: str
    version: int
    interval: timedelta
    ahead: timedelta
    span: timedelta

    @property
    def is_daily(self) -> bool:
        """Whether it is published by trade day, and not by the hour."""
        return self.span == _DAY


REPORTS: Mapping[Market, Report] = MappingProxyType(
    {
        Market.DAM: Report("PRC_LMP", "DAM_LMP_GRP", 12, _HOUR, timedelta(days=1, hours=11), _DAY),
        Market.RUC: Report("PRC_LMP", "RUC_LMP_GRP", 1, _HOUR, timedelta(days=1, hours=11), _DAY),
        # The hour 13 to 14 was there at 12:09, so two hours and one to spare.
        Market.HASP: Report("PRC_HASP_LMP", "HASP_LMP_GRP", 3, _QUARTER, timedelta(hours=3), _HOUR),
        Market.RTPD: Report("PRC_RTPD_LMP", "RTPD_LMP_GRP", 3, _QUARTER, timedelta(hours=1), _HOUR),
        Market.RTM: Report("PRC_INTVL_LMP", "RTM_LMP_GRP", 3, _FIVE, _QUARTER, _HOUR),
    }
)
CURRENT = "PRC_CURR_LMP"
"""The report of the most recently posted five minutes alone; its prices are of the RTM."""
CURRENT_VERSION = 2


def window_end(market: Market, now: datetime) -> datetime:
    """Where every question ends, in the future. Nothing is published beyond it: who says so is wrong, or its clock was."""
    report = REPORTS[market]
    if report.is_daily:
        return midnight(trade_day(now) + 2 * _DAY)
    return floor(now + report.ahead + report.interval, report.interval)


def newest_from(market: Market, now: datetime) -> datetime:
    """From when on the newest published interval is to be looked for, until `window_end`."""
    return midnight(trade_day(now)) if REPORTS[market].is_daily else floor(now - _NEWEST_WITHIN, REPORTS[market].interval)


def due_by(market: Market, interval_start: datetime) -> datetime:
    """When an interval's price must be published at the latest; before that, "no data" only means not yet."""
    report = REPORTS[market]
    if report.is_daily:
        day_before = trade_day(interval_start) - _DAY
        return datetime.combine(day_before, _DAY_AHEAD_AT, PACIFIC).astimezone(UTC) + _DAY_AHEAD_GRACE
    return interval_start + report.interval + _REAL_TIME_GRACE


class NoData(StrEnum):
    """What OASIS's error 1000 means, which says neither why nor for how long."""

    NOT_YET = "not yet published"
    AGED_OUT = "older than OASIS keeps"
    UNEXPECTED = "prices that should be there: is a node's name wrong?"
    DENIED = "prices that it gave before"


def meaning_of_no_data(market: Market, start: datetime, now: datetime, *, was_given: bool = False) -> NoData:
    """Why a window that begins at `start` has no data: of what was never given, its first interval decides.

    Args:
        market: that was asked for.
        start: of the window.
        now: when OASIS said so.
        was_given: whether OASIS gave any price of the window before, so that it cannot be "not yet".
    """
    if was_given:
        return NoData.DENIED
    if start < now - RETENTION:
        return NoData.AGED_OUT
    return NoData.UNEXPECTED if now > due_by(market, start) else NoData.NOT_YET
