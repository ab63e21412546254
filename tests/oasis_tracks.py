"""Tracks of lmp_ingest, its pace, and answers to their questions, for tests of what is planned."""

from datetime import UTC, datetime, timedelta

from oasis_blocks import block

from caiso.oasis import REPORTS, Market
from dotbus.contracts.messages import NodePrice
from lmp_ingest.known.price_block import PriceBlock, nothing
from lmp_ingest.planning.track import Pace, Track

PACE = Pace(
    every={
        Market.RTM: timedelta(seconds=30),
        Market.RTPD: timedelta(seconds=60),
        Market.HASP: timedelta(seconds=120),
        Market.DAM: timedelta(seconds=300),
        Market.RUC: timedelta(seconds=300),
    },
    day_ahead_idle=timedelta(seconds=600),
    awaited_every=timedelta(seconds=6),
    wide_every=timedelta(hours=1),
    wide_back=timedelta(hours=24),
    far_every=timedelta(hours=24),
    far_back=timedelta(days=7),
    lookback=timedelta(hours=48),
)
NOON = datetime(2025, 9, 1, 19, tzinfo=UTC)  # 12:00 in California
MORNING = NOON - timedelta(hours=3)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def track(market: Market, until: datetime | None = None, asked_at: datetime | None = None) -> Track:
    """A track that looked far back when it was last asked."""
    return Track(market, ("N1",), until=until, asked_at=asked_at, wide_at=asked_at, far_at=asked_at)


def prices(
    start: datetime,
    count: int,
    interval: timedelta,
    *nodes: str,
    without: int | None = None,
    holes: dict[datetime, frozenset[str]] | None = None,
) -> PriceBlock:
    """So many prices of each node from a time on, or all but one."""
    starts = [start + number * interval for number in range(count) if number != without]
    priced = [
        (node, NodePrice(interval_start=at, interval_end=at + interval, fetched_at=at, lmp_usd_per_mwh=1.0))
        for at in starts
        for node in nodes or ("N1",)
    ]
    return block(next(market for market, each in REPORTS.items() if each.interval == interval), priced, holes)


NOTHING = nothing(Market.RTM, MORNING)
