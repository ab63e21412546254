"""Prices: what a megawatt-hour is worth, per market, node and interval.

Pure. Nodes are priced by column, since the whole network is 16,600 of them; the price of one node is a column of one.

The shape is California's: low or negative around noon when the sun shines, high in the evening. The five-minute market is the
most restless. Energy is the same at every node; congestion, loss and greenhouse gas are the node's own.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

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
_MOST_NODES = 2**16


@dataclass(frozen=True)
class Price:
    """A price and its components, each rounded to five decimals on its own, as CAISO does: their sum may differ by 2e-5."""

    lmp_usd_per_mwh: float
    energy_usd_per_mwh: float
    congestion_usd_per_mwh: float
    loss_usd_per_mwh: float
    ghg_usd_per_mwh: float


@dataclass(frozen=True)
class PriceColumns:
    """The prices of some nodes in one interval, in the order of the nodes and not rounded yet."""

    lmp_usd_per_mwh: list[float]
    energy_usd_per_mwh: list[float]
    congestion_usd_per_mwh: list[float]
    loss_usd_per_mwh: list[float]
    ghg_usd_per_mwh: list[float]

    def put(self, row: int, price: Price) -> None:
        """Have another price in a row."""
        for name, value in vars(price).items():
            getattr(self, name)[row] = value


class Prices(ABC):
    """Who knows every price."""

    @abstractmethod
    def columns(self, market: str, nodes: Sequence[str], start: datetime) -> PriceColumns:
        """The prices of some nodes in the interval of `market` that begins at `start`."""

    def price(self, market: str, node: str, start: datetime) -> Price:
        """The price of one node."""
        return Price(*(_rounded(column[0]) for column in vars(self.columns(market, (node,), start)).values()))


@dataclass(frozen=True)
class SaidAgain:
    """An LMP that was corrected away and that an old answer said again, and when it last did."""

    lmp_usd_per_mwh: float
    said_at: datetime


_Corrections = dict[str, tuple[float, ...]]
"""By node, every LMP that was published instead of the first."""


class CorrectedPrices(Prices):
    """Prices some of which were corrected after they had been published, as CAISO does without saying so.

    Attributes:
        said_again: by market, node and interval's start, what `lagging` prices said though it was corrected.
    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._corrections: dict[tuple[str, datetime], _Corrections] = {}
        self.said_again: dict[tuple[str, str, datetime], SaidAgain] = {}

    def correct(self, market: str, node: str, start: datetime, lmp_usd_per_mwh: float) -> None:
        """Publish another price from now on."""
        of_interval = self._corrections.get((market, start), {})
        corrected = {**of_interval, node: (*of_interval.get(node, ()), lmp_usd_per_mwh)}
        self._corrections[market, start] = corrected  # never changed in place: a reply may be made meanwhile

    def columns(self, market: str, nodes: Sequence[str], start: datetime) -> PriceColumns:
        """The prices as they are published now; what was corrected is the energy component."""
        return self._corrected(market, nodes, start, lambda _node, said: said)

    def lagging(self, now: datetime) -> "LaggingPrices":
        """The prices as a cache has them that does not know the last correction of each, and is asked now."""
        return LaggingPrices(self, now)

    def columns_before(self, market: str, nodes: Sequence[str], start: datetime, now: datetime) -> PriceColumns:
        """The prices as they were published before the last correction of each, which is noted as said again at a time."""

        def before(node: str, said: tuple[float, ...]) -> tuple[float, ...]:
            lmp_usd_per_mwh = said[-2] if said[1:] else self._prices.price(market, node, start).lmp_usd_per_mwh
            self.said_again[market, node, start] = SaidAgain(_rounded(lmp_usd_per_mwh), now)
            return said[:-1]

        return self._corrected(market, nodes, start, before)

    def _corrected(
        self, market: str, nodes: Sequence[str], start: datetime, known: Callable[[str, tuple[float, ...]], tuple[float, ...]]
    ) -> PriceColumns:
        columns = self._prices.columns(market, nodes, start)
        for node, said in self._corrections.get((market, start), {}).items():
            if node in nodes and (lmps := known(node, said)):
                columns.put(nodes.index(node), _with_lmp(self._prices.price(market, node, start), lmps[-1]))
        return columns


@dataclass(frozen=True)
class LaggingPrices(Prices):
    """Prices of a cache that lags behind, as it is asked at a time."""

    current: CorrectedPrices
    now: datetime

    def columns(self, market: str, nodes: Sequence[str], start: datetime) -> PriceColumns:
        """The prices before the last correction of each."""
        return self.current.columns_before(market, nodes, start, self.now)


@dataclass(frozen=True)
class PriceModel(Prices):
    """All prices of one seed."""

    seed: int

    def columns(self, market: str, nodes: Sequence[str], start: datetime) -> PriceColumns:
        """The prices of some nodes in the interval of `market` that begins at `start`."""
        when = int(start.timestamp())
        energy = self._energy(market, start)
        own = [_of_node(self.seed, node) for node in nodes]
        loss = [energy * each.loss_share for each in own]
        congestion = self._congestion(own, when)
        ghg = self._ghg(market, own, when)
        lmp = [energy + each + lost + gas for each, lost, gas in zip(congestion, loss, ghg, strict=True)]
        return PriceColumns(lmp, [energy] * len(nodes), congestion, loss, ghg)

    def _energy(self, market: str, start: datetime) -> float:
        when = int(start.timestamp())
        restless = _RESTLESSNESS_USD_PER_MWH[market]
        energy = _shape(start) + (self._of(market, when) - 0.5) * 2 * restless
        if market in ("RTPD", "RTM") and self._of(market, when, "spike") < _SPIKE_CHANCE:
            energy += _SPIKE_USD_PER_MWH
        return max(energy, _FLOOR_USD_PER_MWH)

    def _congestion(self, own: Sequence["_OfNode"], when: int) -> list[float]:
        """Congestion binds by the hour, in the same direction for a node and with its own strength."""
        binds, strength = self._of("binds", when // 3600), self._of("strength", when)
        return [
            each.congestion_usd_per_mwh * (0.5 + (each.strength + strength) % 1)
            if (each.binds + binds) % 1 < _CONGESTED_CHANCE
            else 0.0
            for each in own
        ]

    def _ghg(self, market: str, own: Sequence["_OfNode"], when: int) -> list[float]:
        """Nodes outside California carry a greenhouse gas component, never above zero; one in four is taken for such."""
        if market in ("DAM", "RUC"):
            return [0.0] * len(own)
        ghg = self._of("ghg", when)
        return [-6.0 * ((each.ghg + ghg) % 1) if each.has_ghg else 0.0 for each in own]

    def _of(self, *name: object) -> float:
        return fraction(self.seed, *name)


class _OfNode(NamedTuple):
    """What is a node's own at all times. Added to what is a time's own, a number from 0 to 1 is one of both."""

    loss_share: float
    congestion_usd_per_mwh: float
    binds: float
    strength: float
    has_ghg: bool
    ghg: float


@lru_cache(_MOST_NODES)
def _of_node(seed: int, node: str) -> _OfNode:
    return _OfNode(
        loss_share=(fraction(seed, node, "loss") - 0.5) * 0.08,
        congestion_usd_per_mwh=(fraction(seed, node, "congestion") - 0.5) * 24,
        binds=fraction(seed, node, "binds"),
        strength=fraction(seed, node, "strength"),
        has_ghg=not node.endswith("-APND") and fraction(seed, node, "has_ghg") < _GHG_NODE_CHANCE,
        ghg=fraction(seed, node, "ghg"),
    )


def _with_lmp(price: Price, lmp_usd_per_mwh: float) -> Price:
    energy = _rounded(price.energy_usd_per_mwh + lmp_usd_per_mwh - price.lmp_usd_per_mwh)
    return replace(price, lmp_usd_per_mwh=_rounded(lmp_usd_per_mwh), energy_usd_per_mwh=energy)


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
