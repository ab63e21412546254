"""The price reports of OASIS as facts: which market, versions, interval length, components and column layout each has.

Measured from recorded replies where there are any, else from the interface specification 4.3.5; see README.md.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from simulators.oasis.calendar import PACIFIC, trade_date, trade_day


@dataclass(frozen=True)
class Component:
    """A price component: its LMP_TYPE, XML_DATA_ITEM and the field of `prices.Price` that has it."""

    lmp_type: str
    data_item: str
    field: str


LMP = Component("LMP", "LMP_PRC", "lmp_usd_per_mwh")
CONGESTION = Component("MCC", "LMP_CONG_PRC", "congestion_usd_per_mwh")
ENERGY = Component("MCE", "LMP_ENE_PRC", "energy_usd_per_mwh")
LOSS = Component("MCL", "LMP_LOSS_PRC", "loss_usd_per_mwh")
GHG = Component("MGHG", "LMP_GHG_PRC", "ghg_usd_per_mwh")

_LMP_FIRST = (LMP, CONGESTION, ENERGY, LOSS)
_LMP_LAST = (CONGESTION, ENERGY, LOSS, LMP)
_GHG_IN_DAM_FROM_YEAR = 2024


@dataclass(frozen=True)
class Report:
    """One price report in one version."""

    queryname: str
    market: str
    version: int
    interval: timedelta
    price_column: str
    components: tuple[Component, ...]
    group_id: str

    @property
    def is_daily(self) -> bool:
        """Whether it is published by trade date (day-ahead) and not by the hour."""
        return self.interval == timedelta(hours=1)

    @property
    def is_current(self) -> bool:
        """Whether it has the most recently posted interval alone, whatever times are asked for."""
        return self.queryname == CURRENT

    @property
    def member_per_component(self) -> bool:
        """Whether a query for all nodes comes as one file for each component."""
        return self.is_daily or self.version == 3  # noqa: PLR2004 - CAISO's number of this layout

    def components_on(self, start: datetime) -> tuple[Component, ...]:
        """The components that an interval has rows of: day-ahead GHG rows come since 2024."""
        if self.is_daily and trade_date(start).year < _GHG_IN_DAM_FROM_YEAR:
            return tuple(component for component in self.components if component is not GHG)
        return self.components

    def published_until(self, now: datetime) -> datetime:
        """Intervals that begin before this are published by `now`.

        Day-ahead and RUC: the next trade date from 13:00 Pacific on. HASP: an hour at least 51 minutes ahead (recorded).
        Fifteen minutes: 22.5 minutes ahead (CAISO's business practice manual). Five minutes: no delay is known; 2.5 minutes
        ahead, when the market's run ends.
        """
        if self.is_daily:
            day = trade_date(now) + timedelta(days=2 if now.astimezone(PACIFIC).hour >= _DAM_PUBLISHED_HOUR else 1)
            return trade_day(day)[0]
        block = timedelta(hours=1) if self.market == "HASP" else self.interval
        return _floor(now + _LEAD[self.market], block) + block


CURRENT = "PRC_CURR_LMP"
_DAM_PUBLISHED_HOUR = 13
_LEAD = {"HASP": timedelta(minutes=52), "RTPD": timedelta(minutes=22.5), "RTM": timedelta(minutes=2.5)}
_HOUR, _QUARTER, _FIVE = timedelta(hours=1), timedelta(minutes=15), timedelta(minutes=5)

REPORTS = (
    Report("PRC_LMP", "DAM", 1, _HOUR, "MW", (*_LMP_FIRST, GHG), "DAM_LMP_GRP"),
    Report("PRC_LMP", "DAM", 12, _HOUR, "MW", (*_LMP_FIRST, GHG), "DAM_LMP_GRP"),
    Report("PRC_LMP", "RUC", 1, _HOUR, "MW", (LMP,), "RUC_LMP_GRP"),
    Report("PRC_LMP", "RUC", 12, _HOUR, "MW", (LMP,), "RUC_LMP_GRP"),
    Report("PRC_HASP_LMP", "HASP", 1, _QUARTER, "MW", _LMP_FIRST, "HASP_LMP_GRP"),
    Report("PRC_HASP_LMP", "HASP", 2, _QUARTER, "MW", (*_LMP_FIRST, GHG), "HASP_LMP_GRP"),
    Report("PRC_HASP_LMP", "HASP", 3, _QUARTER, "MW", (*_LMP_FIRST, GHG), "HASP_LMP_GRP"),
    Report("PRC_RTPD_LMP", "RTPD", 1, _QUARTER, "PRC", _LMP_FIRST, "RTPD_LMP_GRP"),
    Report("PRC_RTPD_LMP", "RTPD", 2, _QUARTER, "PRC", (*_LMP_FIRST, GHG), "RTPD_LMP_GRP"),
    Report("PRC_RTPD_LMP", "RTPD", 3, _QUARTER, "PRC", (*_LMP_FIRST, GHG), "RTPD_LMP_GRP"),
    Report("PRC_INTVL_LMP", "RTM", 1, _FIVE, "MW", _LMP_LAST, "RTM_LMP_GRP"),
    Report("PRC_INTVL_LMP", "RTM", 2, _FIVE, "MW", (*_LMP_LAST[:3], GHG, LMP), "RTM_LMP_GRP"),
    Report("PRC_INTVL_LMP", "RTM", 3, _FIVE, "VALUE", (*_LMP_LAST[:3], GHG, LMP), "RTM_LMP_GRP"),
    Report(CURRENT, "RTM", 1, _FIVE, "MW", _LMP_LAST, "CURR_LMP_GRP"),
    Report(CURRENT, "RTM", 2, _FIVE, "MW", (*_LMP_LAST[:3], GHG, LMP), "CURR_LMP_GRP"),
)


def _floor(at: datetime, step: timedelta) -> datetime:
    return at - timedelta(seconds=at.timestamp() % step.total_seconds())
