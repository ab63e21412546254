"""Price block: the prices of one reply as one array, by interval, node and component. Pure.

A reply of the whole network has a million values: as Python objects they cost seconds and hundreds of megabytes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from caiso import oasis
from caiso.oasis import REPORTS, SCHEMA, Group, Market, Nodes
from dotbus.contracts.messages import NodePrice

N = TypeVar("N")
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.intp]

COLUMNS = tuple(SCHEMA.names[3:])
"""The components of a price, in the order of a block's last axis: LMP, energy, congestion, loss, greenhouse gas."""
LMP = 0


@dataclass(frozen=True, eq=False)
class PriceBlock:
    """A reply's prices. Each has an LMP; what has none is no price.

    Attributes:
        market: of all of them.
        fetched_at: when CAISO was asked for them.
        starts: of the intervals that the reply names, in order.
        nodes: that it names, in order.
        values: USD/MWh by interval, node and component (`COLUMNS`); NaN is absent.
        holes: by interval and node, whether the reply has no whole price there, though it names the node or the interval.
        contradictions: the node's intervals that the reply prices twice and differently. They have no price here, because
            nobody can say which is right.
        unreadable: values that are no number, with the node, interval and component. Without its LMP there is no price;
            without a component it is absent.
        doubts: prices whose LMP is not the sum of its components.
        bad_rows: rows that cannot be believed, with what is wrong with them (see `answer`).
    """

    market: Market
    fetched_at: datetime
    starts: tuple[datetime, ...]
    nodes: tuple[str, ...]
    values: Floats
    holes: Flags
    contradictions: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    bad_rows: tuple[str, ...] = ()

    @property
    def interval(self) -> timedelta:
        """How long each price holds."""
        return REPORTS[self.market].interval

    @cached_property
    def is_priced(self) -> Flags:
        """By interval and node."""
        found: Flags = ~np.isnan(self.values[:, :, LMP])
        return found

    @cached_property
    def priced(self) -> tuple[datetime, ...]:
        """The starts of the intervals in which any node has a price."""
        return _chosen(self.starts, _any(self.is_priced, axis=1))

    @cached_property
    def lacking(self) -> tuple[datetime, ...]:
        """The starts of the intervals in which any node has a hole."""
        return _chosen(self.starts, _any(self.holes, axis=1))

    @cached_property
    def whole(self) -> frozenset[datetime]:
        """The starts of the intervals that have prices and no hole."""
        return frozenset(self.priced).difference(self.lacking)

    @cached_property
    def priced_nodes(self) -> frozenset[str]:
        """Every node that has any price. Others are unknown to CAISO, or have none yet."""
        return frozenset(_chosen(self.nodes, _any(self.is_priced, axis=0)))

    @property
    def newest_end(self) -> datetime | None:
        """The end of the newest interval with a price."""
        return self.priced[-1] + self.interval if self.priced else None

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The place of each node among the block's."""
        return {node: number for number, node in enumerate(self.nodes)}

    def of(self, nodes: Nodes) -> "PriceBlock":
        """The same of these nodes alone; of a group all."""
        if isinstance(nodes, Group) or self.numbers.keys() <= set(nodes):
            return self
        at = np.flatnonzero(np.isin(np.array(self.nodes), np.array(nodes)))
        return replace(self, nodes=_named(self.nodes, at), values=self.values[:, at], holes=self.holes[:, at])

    def holes_of(self, node: str) -> frozenset[datetime]:
        """The starts of the intervals in which a node has a hole."""
        number = self.numbers.get(node)
        return frozenset() if number is None else frozenset(_chosen(self.starts, self.holes[:, number]))

    def priced_starts_of(self, node: str) -> tuple[datetime, ...]:
        """The starts of the intervals in which a node has a price."""
        number = self.numbers.get(node)
        return () if number is None else _chosen(self.starts, self.is_priced[:, number])

    def price(self, start: datetime, node: str) -> NodePrice:
        """One price, for a few; the array is for many."""
        values = self.values[self.starts.index(start), self.numbers[node]]
        return NodePrice(
            interval_start=start,
            interval_end=start + self.interval,
            fetched_at=self.fetched_at,
            **dict(zip(COLUMNS, absent_as_none(values), strict=True)),
        )


def nothing(market: Market, fetched_at: datetime) -> PriceBlock:
    """An answer without prices."""
    return PriceBlock(market, fetched_at, (), (), np.empty((0, 0, len(COLUMNS))), np.empty((0, 0), dtype=np.bool_))


def block_of(prices: oasis.Prices, fetched_at: datetime) -> PriceBlock:
    """A reply's prices. A component that no row names is absent."""
    nodes, starts = prices.named
    values = np.full((len(starts), len(nodes), len(COLUMNS)), np.nan)
    at_start, at_node = _places(prices.table, nodes, starts)
    for number, name in enumerate(COLUMNS):
        values[at_start, at_node, number] = prices.table[name].to_numpy()
    return PriceBlock(
        prices.market,
        fetched_at,
        starts,
        nodes,
        values,
        _holes(prices, values),
        tuple(map(str, prices.contradictions)),
        tuple(f"{place}: {text}" for place, text in prices.unreadable.items()),
        tuple(map(str, prices.doubts)),
    )


def complete_run(begun: datetime, block: PriceBlock) -> datetime | None:
    """The end of the intervals that are complete without a hole from a time on; None when the first is not.

    In real time, so that a day of 23 or 25 hours is complete when it has 23 or 25 prices.
    """
    until = begun
    while until in block.whole:
        until += block.interval
    return until if until > begun else None


def _places(table: pa.Table, nodes: Sequence[str], starts: Sequence[datetime]) -> tuple[Numbers, Numbers]:
    """Of each row the place of its interval and of its node."""
    names = table["node"].combine_chunks()
    numbers = {node: number for number, node in enumerate(nodes)}
    of_name = np.array([numbers.get(name, -1) for name in names.dictionary.to_pylist()], dtype=np.intp)
    starts_s = np.array([int(start.timestamp()) for start in starts], dtype=np.int64)
    return np.searchsorted(starts_s, table["interval_start"].cast(pa.int64()).to_numpy()), of_name[names.indices.to_numpy()]


def _holes(prices: oasis.Prices, values: Floats) -> Flags:
    """Where there is no price, and where a component of one cannot be read."""
    holes: Flags = np.isnan(values[:, :, LMP])
    nodes, starts = ({name: number for number, name in enumerate(names)} for names in prices.named)
    for place in prices.unreadable:
        holes[starts[place.interval_start], nodes[place.node]] = True
    if prices.counts.get("unreadable", 0) > len(prices.unreadable):  # not all are named: any that lacks something may be one
        holes |= lacks_any(values, present_in(values))
    return holes


def present_in(values: Floats) -> frozenset[int]:
    """The components that any price has."""
    return frozenset(np.flatnonzero(~np.isnan(values).all(axis=(0, 1))).tolist()) if values.size else frozenset()


def lacks_any(values: Floats, components: Iterable[int]) -> Flags:
    """By interval and node, whether there is no price or it lacks one of some components."""
    return _any(np.isnan(values[:, :, sorted({LMP, *components})]), axis=2)


def absent_as_none(values: Floats) -> Any:  # noqa: ANN401  # a list of as many dimensions
    """Values for a message, in which absent is None."""
    is_absent = np.isnan(values)
    if not is_absent.any():
        return values.tolist()
    objects = values.astype(object)
    objects[is_absent] = None
    return objects.tolist()


def _any(flags: Flags, axis: int) -> Flags:
    found: Flags = np.any(flags, axis=axis)
    return found


def _chosen(names: Sequence[N], flags: Flags) -> tuple[N, ...]:
    return _named(names, np.flatnonzero(flags))


def _named(names: Sequence[N], numbers: Numbers) -> tuple[N, ...]:
    return tuple(names[number] for number in numbers.tolist())
