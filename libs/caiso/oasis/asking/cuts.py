"""Cuts: the part of some prices that is wanted, where CAISO gives more than was asked for. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from caiso.oasis.prices import Prices


class _Dated(Protocol):
    @property
    def interval_start(self) -> datetime | None: ...


T = TypeVar("T", bound=_Dated)


def within(prices: Prices, start: datetime, end: datetime) -> Prices:
    """The prices of the intervals that begin from `start` on and before `end`, and what is odd about those.

    A bad row stays where nobody can read of which interval it is.
    """

    def kept(some: Iterable[T]) -> tuple[T, ...]:
        return tuple(each for each in some if each.interval_start is None or start <= each.interval_start < end)

    nodes, starts = prices.named
    if all(start <= at < end for at in starts):
        return prices
    at = prices.table["interval_start"]
    cut = replace(
        prices,
        table=prices.table.filter(pc.and_(pc.greater_equal(at, pa.scalar(start)), pc.less(at, pa.scalar(end)))),
        named=(nodes, tuple(at for at in starts if start <= at < end)),
        contradictions=kept(prices.contradictions),
        unreadable={place: prices.unreadable[place] for place in kept(prices.unreadable)},
        doubts=kept(prices.doubts),
        bad_rows=kept(prices.bad_rows),
    )
    return replace(cut, counts={kind: count - _gone(kind, prices, cut) for kind, count in prices.counts.items()})


def _gone(kind: str, before: Prices, after: Prices) -> int:
    """How much of what is named was cut off. What is only counted stays: nobody knows of when it is."""
    return len(getattr(before, kind)) - len(getattr(after, kind))


def newest_of(prices: Prices) -> Prices:
    """Of each node the price of its newest interval."""
    node = prices.table["node"].combine_chunks().indices.to_numpy()
    last = np.full(int(node.max(initial=-1)) + 1, -1)
    last[node] = np.arange(len(node))  # they are in the order of their intervals
    return replace(prices, table=prices.table.take(pa.array(np.sort(last[last >= 0]))))
