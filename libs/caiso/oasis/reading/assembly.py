"""Assembly: rows of components, in any order, to one price for each node and interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa

from caiso.oasis.errors import quoted
from caiso.oasis.prices import COLUMNS, SCHEMA, USD_PER_MWH, UTC_SECONDS, Place, Prices
from caiso.oasis.reading.columns import Flags, Floats, Integers, time_of
from caiso.oasis.reading.rows import Reading
from caiso.oasis.reports import REPORTS, Component, Market

TOLERANCE_USD_PER_MWH: Final = 5e-4
"""How far an LMP may be from the sum of its components. They are rounded to five decimals each; the largest distance in
CAISO's recorded replies is 1e-4."""
_SECONDS: Final = "datetime64[s]"
MOST_PLACES: Final = 10_000
"""How many places of one kind are named; how many there are is counted beside it."""


def assemble(reading: Reading, market: Market, strays: Sequence[str] = ()) -> Prices:
    """One price per node and interval, from rows in any order."""
    return _Assembly(reading, market).prices(strays)


class _Assembly:
    """The work of `assemble`. A key is the rank of an interval times the number of nodes, and the rank of a node."""

    def __init__(self, reading: Reading, market: Market) -> None:
        self._reading = reading
        self._interval_s = int(REPORTS[market].interval.total_seconds())
        self._market = market
        texts = reading.nodes.all()
        order = sorted(range(len(texts)), key=texts.__getitem__)
        self._names = [texts[number].decode(errors="replace") for number in order]
        self._rank = np.empty(len(order), dtype=np.int64)
        self._rank[order] = np.arange(len(order))
        self._starts, self._start_rank = _ranked(reading)
        self._order: _Order | None = None
        self._unreadable: dict[int, str] = {}

    def prices(self, strays: Sequence[str]) -> Prices:
        """All of it."""
        columns = {component: self._column(component) for component in Component}
        keys = told = _united([each.keys for each in columns.values()])
        contradicted = _united([each.contradicted for each in columns.values()])
        unreadable = self._unreadable
        values = {component: each.on(keys) for component, each in columns.items()}
        is_priced = ~np.isnan(values[Component.LMP]) & ~np.isin(keys, contradicted)
        if not is_priced.all():
            keys, values = keys[is_priced], {component: each[is_priced] for component, each in values.items()}
        doubtful = keys[_is_doubtful(values)]
        counts = {
            "contradictions": len(contradicted),
            "unreadable": len(unreadable),
            "doubts": len(doubtful),
            "bad_rows": self._reading.bad_rows.total,
        }
        return Prices(
            self._market,
            self._table(keys, values),
            self._named(told),
            tuple(map(self._place, contradicted[:MOST_PLACES])),
            {self._place(key): unreadable[key] for key in sorted(unreadable)[:MOST_PLACES]},
            tuple(map(self._place, doubtful[:MOST_PLACES])),
            self._reading.bad_rows.all(),
            tuple(strays),
            counts,
        )

    def _column(self, component: Component) -> "_Column":
        pieces = self._reading.take(component)
        if not pieces:
            return _Column(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))
        keys = [self._start_rank[piece.start] * len(self._names) + self._rank[piece.node] for piece in pieces]
        for piece, of_piece in zip(pieces, keys, strict=True):
            for row, text in piece.unreadable.items():  # what is said of the LMP stands before what is of a component
                self._unreadable.setdefault(int(of_piece[row]), f"{component} {quoted(text)}")
            if component is Component.LMP:
                for key in of_piece[np.isnan(piece.usd_per_mwh)].tolist():
                    self._unreadable.setdefault(key, f"{component} is blank")
        order = self._order_of(np.concatenate(keys))
        return order.column(np.concatenate([piece.usd_per_mwh for piece in pieces]))

    def _order_of(self, keys: Integers) -> "_Order":
        """Components mostly come in one order, whatever it is."""
        if self._order is None or not np.array_equal(self._order.unsorted, keys):
            self._order = _Order.of(keys)
        return self._order

    def _place(self, key: int) -> Place:
        start, node = divmod(int(key), len(self._names))
        return Place(time_of(int(self._starts[start])), self._names[node])

    def _named(self, keys: Integers) -> tuple[tuple[str, ...], tuple[datetime, ...]]:
        if not len(keys):
            return (), ()
        nodes = np.unique(keys % len(self._names))
        return tuple(self._names[node] for node in nodes), tuple(time_of(int(start)) for start in self._starts)

    def _table(self, keys: Integers, values: Mapping[Component, Floats]) -> pa.Table:
        start_s = self._starts[keys // len(self._names)] if len(keys) else np.empty(0, np.int64)
        node = (keys % len(self._names)).astype(np.int32) if len(keys) else np.empty(0, np.int32)
        columns = [
            pa.DictionaryArray.from_arrays(pa.array(node), pa.array(self._names, pa.string())),
            pa.array(start_s.astype(_SECONDS), UTC_SECONDS),
            pa.array((start_s + self._interval_s).astype(_SECONDS), UTC_SECONDS),
            *(pa.array(values[component], USD_PER_MWH, from_pandas=True) for component in COLUMNS),
        ]
        return pa.Table.from_arrays(columns, schema=SCHEMA.with_metadata({"market": self._market.value}))


def _ranked(reading: Reading) -> tuple[Integers, Integers]:
    """When the intervals of a reply begin, each once and in order; and the place among them of each text of a time."""
    is_start = np.zeros(len(reading.seconds), dtype=np.bool_)
    for component in Component:
        for piece in reading.rows(component):
            is_start[piece.start] = True
    starts = np.unique(reading.seconds[is_start])
    return starts, np.searchsorted(starts, reading.seconds)


@dataclass(frozen=True)
class _Order:
    """How the rows of a component are sorted.

    Attributes:
        unsorted: their keys as they come.
        order: the rows by their keys.
        keys: each once.
        is_again: by place in the order, whether the key is that of the place before.
    """

    unsorted: Integers
    order: Integers
    keys: Integers
    is_again: Flags

    @classmethod
    def of(cls, unsorted: Integers) -> "_Order":
        """That of some keys."""
        order = np.argsort(unsorted, kind="stable")
        keys = unsorted[order]
        is_again = np.concatenate([[False], keys[1:] == keys[:-1]])
        return cls(unsorted, order, keys[~is_again] if is_again.any() else keys, is_again)

    def column(self, values: Floats) -> "_Column":
        """The values of the rows, which come as the keys do."""
        values = values[self.order]
        if not self.is_again.any():
            return _Column(self.keys, values, np.empty(0, np.int64))
        differs = self.is_again & ~_equal(values, np.concatenate([[np.nan], values[:-1]]))
        contradicted = np.unique(self.unsorted[self.order[differs]])
        return _Column(self.keys, values[~self.is_again], contradicted)


@dataclass(frozen=True)
class _Column:
    """A component: its sorted keys, each once, the value of each, and those that were told in two ways."""

    keys: Integers
    values: Floats
    contradicted: Integers

    def on(self, keys: Integers) -> Floats:
        """Its values by other keys, among which its own are; NaN where it has none."""
        if len(keys) == len(self.keys):
            return self.values
        found = np.full(len(keys), np.nan)
        found[np.searchsorted(keys, self.keys)] = self.values
        return found


def _united(several: Sequence[Integers]) -> Integers:
    first = several[0]
    if all(len(each) == 0 or each is first or np.array_equal(each, first) for each in several):
        return first
    return np.unique(np.concatenate(list(several)))


def _equal(one: Floats, other: Floats) -> Flags:
    same: Flags = (one == other) | (np.isnan(one) & np.isnan(other))
    return same


def _is_doubtful(values: Mapping[Component, Floats]) -> Flags:
    """Where the LMP is not the sum of its parts. Without one of the three that every market has nobody can say."""
    ghg = np.nan_to_num(values[Component.GHG], nan=0.0)
    with np.errstate(invalid="ignore"):
        parts = values[Component.ENERGY] + values[Component.CONGESTION] + values[Component.LOSS]
        distance: Floats = np.abs(values[Component.LMP] - parts - ghg)
        is_far: Flags = distance > TOLERANCE_USD_PER_MWH
    return is_far
