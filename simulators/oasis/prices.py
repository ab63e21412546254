"""Prices: what a megawatt-hour is worth, per market, node and interval.

Pure and without memory. The shape is California's: low or negative around noon when the sun shines, high in the evening. The
five-minute market is the most restless. Energy is the same at every node; congestion, loss and greenhouse gas are the
node's own.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from simulators.chance import fraction
from simulators.oasis.calendar import PACIFIC

_DAY_USD_PER_MWH = (
    *(38.0, 36.0, 35.0, 35.0, 37.0, 42.0, 46.0, 38.0, 22.0, 10.0, 4.0, 1.0),
    *(0.0, 0.0, 2.0, 8.0, 22.0, 44.0, 62.0, 68.0, 60.0, 52.0, 46.0, 41.0),
)
_RESTLESSNESS_USD_PER_MWH = {"DAM": 3.0, "RUC": 3.0, "HASP": 8.0, "RTPD": 10.0, "RTM": 16.0}
_SPIKE_CHANCE = 0.004
_SPIKE_USD_PER_MWH = 250.0
_FLOOR_USD_PER_MWH = -150.0
_CONGESTED_CHANCE = 0.25
_GHG_NODE_CHANCE = 0.25


@dataclass(frozen=True)
class Price:
    """A price and its components, each rounded to five decimals on its own, as CAISO does: their sum may differ by 2e-5."""

    lmp_usd_per_mwh: float
    energy_usd_per_mwh: float
    congestion_usd_per_mwh: float
    loss_usd_per_mwh: float
    ghg_usd_per_mwh: float


class Prices(Protocol):
    """Who knows every price."""

    def price(self, market: str, node: str, start: datetime) -> Price:
        """The price of a node in the interval of `market` that begins at `start`."""
        ...


@dataclass(frozen=True)
class SaidAgain:
    """An LMP that was corrected away and that an old answer said again, and when it last did."""

    lmp_usd_per_mwh: float
    said_at: datetime


_Key = tuple[str, str, datetime]
"""A market, a node and an interval's start."""


class CorrectedPrices:
    """Prices some of which were corrected after they had been published, as CAISO does without saying so.

    Attributes:
        said_again: by market, node and interval's start, what `lagging` prices said though it was corrected.
    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._corrections: dict[_Key, tuple[float, ...]] = {}
        self.said_again: dict[_Key, SaidAgain] = {}

    def correct(self, market: str, node: str, start: datetime, lmp_usd_per_mwh: float) -> None:
        """Publish another price from now on."""
        key = market, node, start
        self._corrections[key] = (*self._corrections.get(key, ()), lmp_usd_per_mwh)

    def price(self, market: str, node: str, start: datetime) -> Price:
        """The price as it is published now; what was corrected is the energy component."""
        return self._corrected(market, node, start, self._corrections.get((market, node, start), ()))

    def lagging(self, now: datetime) -> "LaggingPrices":
        """The prices as a cache has them that does not know the last correction of each, and is asked now."""
        return LaggingPrices(self, now)

    def price_before(self, market: str, node: str, start: datetime, now: datetime) -> Price:
        """The price as it was published before its last correction, which is noted as said again at a time."""
        key = market, node, start
        corrections = self._corrections.get(key, ())
        price = self._corrected(market, node, start, corrections[:-1])
        if corrections:
            self.said_again[key] = SaidAgain(price.lmp_usd_per_mwh, now)
        return price

    def _corrected(self, market: str, node: str, start: datetime, corrections: tuple[float, ...]) -> Price:
        price = self._prices.price(market, node, start)
        if not corrections:
            return price
        energy = _rounded(price.energy_usd_per_mwh + corrections[-1] - price.lmp_usd_per_mwh)
        return replace(price, lmp_usd_per_mwh=_rounded(corrections[-1]), energy_usd_per_mwh=energy)


@dataclass(frozen=True)
class LaggingPrices:
    """Prices of a cache that lags behind, as it is asked at a time."""

    current: CorrectedPrices
    now: datetime

    def price(self, market: str, node: str, start: datetime) -> Price:
        """The price before its last correction."""
        return self.current.price_before(market, node, start, self.now)


@dataclass(frozen=True)
class PriceModel:
    """All prices of one seed."""

    seed: int

    def price(self, market: str, node: str, start: datetime) -> Price:
        """The price of a node in the interval of `market` that begins at `start`."""
        when = int(start.timestamp())
        energy = self._energy(market, start)
        loss = energy * (self._of(node, "loss") - 0.5) * 0.08
        congestion = self._congestion(node, when)
        ghg = self._ghg(market, node, when)
        parts = (energy, congestion, loss, ghg)
        return Price(_rounded(sum(parts)), *(_rounded(part) for part in parts))

    def _energy(self, market: str, start: datetime) -> float:
        when = int(start.timestamp())
        restless = _RESTLESSNESS_USD_PER_MWH[market]
        energy = _shape(start) + (self._of(market, when) - 0.5) * 2 * restless
        if market in ("RTPD", "RTM") and self._of(market, when, "spike") < _SPIKE_CHANCE:
            energy += _SPIKE_USD_PER_MWH
        return max(energy, _FLOOR_USD_PER_MWH)

    def _congestion(self, node: str, when: int) -> float:
        """Congestion binds by the hour, in the same direction for a node and with its own strength."""
        if self._of(node, "congested", when // 3600) >= _CONGESTED_CHANCE:
            return 0.0
        return (self._of(node, "congestion") - 0.5) * 24 * (0.5 + self._of(node, when))

    def _ghg(self, market: str, node: str, when: int) -> float:
        """Nodes outside California carry a greenhouse gas component, never above zero; one in four is taken for such."""
        if market in ("DAM", "RUC") or node.endswith("-APND") or self._of(node, "ghg") >= _GHG_NODE_CHANCE:
            return 0.0
        return -6.0 * self._of(node, "ghg", when)

    def _of(self, *name: object) -> float:
        return fraction(self.seed, *name)


def _shape(start: datetime) -> float:
    """The usual price of a time of day, lower in spring and higher in late summer."""
    local = start.astimezone(PACIFIC)
    hour = local.hour + local.minute / 60
    before, after = _DAY_USD_PER_MWH[int(hour)], _DAY_USD_PER_MWH[(int(hour) + 1) % 24]
    of_day = before + (after - before) * (hour % 1)
    summer = math.cos(2 * math.pi * (local.timetuple().tm_yday - 235) / 365)
    return of_day * (1 + 0.25 * summer) + 6 * summer


def _rounded(usd_per_mwh: float) -> float:
    return round(usd_per_mwh, 5) + 0.0
