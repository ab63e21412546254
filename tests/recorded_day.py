"""A week of day-ahead prices and an hour of five-minute prices as CAISO gave them, and its dispatch, with holes."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from historian_api import prices_of
from oasis_recordings import FIELDS, independent_prices
from plant_day import FIVE, MINUTE, curve, heard, told

from dotbus.contracts.messages import Prices
from dotbus.testing import samples

DAY_AHEAD = "singlezip_20240412_20240420_PRC_LMP_DAM_20240418_14_20_28_v1_csv.zip"
FIVE_MINUTES = "prc_intvl_lmp_rtm_v1_20250901_he02_TH_NP15.csv"
DAWN = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)
"""Start of the recorded hour of five-minute prices."""
NOW = DAWN + timedelta(minutes=63)
SPRING = datetime(2024, 3, 10, 8, 0, tzinfo=UTC)
"""Midnight of the day on which clocks go forward."""


def events() -> list[Any]:
    """All of it, as the historian hears it."""
    return [
        *recorded_prices(DAY_AHEAD, "DAM", 60, 1),
        *recorded_prices(FIVE_MINUTES, "RTM", 5, 1000),
        *prices_of(SPRING, [float(hour) for hour in range(23)], market="DAM", minutes=60, first_seq=2000),
        *(told(3000 + place, DAWN + place * FIVE, mw) for place, mw in enumerate((10, 14, 20, 20, 12)) if place != 3),
        *(told(3100 + place, DAWN + place * FIVE, 30.0 - place) for place in range(6, 12)),
        curve(3200, (DAWN, 10.0), (DAWN + 20 * MINUTE, 20.0), (DAWN + 40 * MINUTE, 24.0), at=DAWN - MINUTE),
        *heard(DAWN - 10 * MINUTE, DAWN + 25 * MINUTE),
        *heard(DAWN + 26 * MINUTE, DAWN + 30 * MINUTE, is_ok=False),
        *heard(DAWN + 31 * MINUTE, DAWN + 63 * MINUTE),
    ]


def recorded_prices(name: str, market: str, minutes: int, first_seq: int) -> list[Prices]:
    """A recording as lmp_ingest would tell it, read by the standard library."""
    by_time: dict[datetime, dict[str, dict[str, Decimal]]] = defaultdict(dict)
    for (node, start), parts in independent_prices(name, "MW").items():
        by_time[start][node] = parts
    return [_told(start, nodes, market, minutes, seq) for seq, (start, nodes) in enumerate(sorted(by_time.items()), first_seq)]


def _told(start: datetime, nodes: dict[str, dict[str, Decimal]], market: str, minutes: int, seq: int) -> Prices:
    columns = {
        field: tuple(float(parts[kind]) if kind in parts else None for parts in nodes.values())
        for kind, field in FIELDS.items()
    }
    return msgspec.structs.replace(
        samples.prices(),
        id=f"{market}-{seq}",
        seq=seq,
        market=market,
        market_seq=seq,
        interval_start=start,
        interval_end=start + minutes * MINUTE,
        fetched_at=start,
        nodes=tuple(nodes),
        **columns,
    )
