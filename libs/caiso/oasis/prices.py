"""Prices: what a reply comes to, a row for each node and interval, its components side by side; and what is odd about it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from caiso.oasis.columns import BadRow, Flags, Floats, Integers, time_of
from caiso.oasis.reports import REPORTS, Component, Market
from caiso.oasis.rows import Reading

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

TOLERANCE_USD_PER_MWH: Final = 5e-4
"""How far an LMP may be from the sum of its components. They are rounded to five decimals each; the largest distance in
CAISO's recorded replies is 1e-4."""
COLUMNS: Final[Mapping[Component, str]] = {
    Component.LMP: "lmp_usd_per_mwh",
    Component.ENERGY: "energy_usd_per_mwh",
    Component.CONGESTION: "congestion_usd_per_mwh",
    Component.LOSS: "loss_usd_per_mwh",
    Component.GHG: "ghg_usd_per_mwh",
}
MOST_PLACES: Final = 10_000
"""How many places of one kind are named; how many there are is counted beside it."""
_UTC: Final = pa.timestamp("s", "UTC")
_PRICE: Final = pa.float64()
SCHEMA: Final = pa.schema(
    [
        pa.field("node", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("interval_start", _UTC, nullable=False),
        pa.field("interval_end", _UTC, nullable=False),
        *(pa.field(name, _PRICE, nullable=True, metadata={"unit": "USD/MWh"}) for name in COLUMNS.values()),
    ]
)


class Place(NamedTuple):
    """A node's interval."""

    interval_start: datetime
    node: str

    def __str__(self) -> str:
        return f"{self.node} at {self.interval_start:%Y-%m-%dT%H:%MZ}"


@dataclass(frozen=True)
class Prices:
    """The prices of one market. Each has an LMP; what has none is no price.

    Attributes:
        market: of all of them.
        table: a row for each node and interval, by interval and node (`SCHEMA`). A component that CAISO did not send is null.
        named: the nodes, and the starts of the intervals, that the reply names at all.
        contradictions: where it has two prices and not the same. They are not in `table`: nobody can say which is right.
        unreadable: where a value is no number, with the component and what stands there. Without its LMP a price is not in
            `table`; without a component it is, and the component is null.
        doubts: where the LMP is not the sum of its components, by more than their rounding. They are in `table`.
        bad_rows: rows that cannot be read, or are of something else than was asked for. They are left out.
        strays: members of the reply that hold no prices.
        counts: how many contradictions, unreadable, doubts and bad rows there are; what is named has a bound.
    """

    market: Market
    table: pa.Table
    named: tuple[tuple[str, ...], tuple[datetime, ...]] = ((), ())
    contradictions: tuple[Place, ...] = ()
    unreadable: Mapping[Place, str] = field(default_factory=dict)
    doubts: tuple[Place, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    strays: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each price as a dict of its columns' names, for a few; the table is for many."""
        for batch in self.table.to_batches():
            for row in batch.to_pylist():
                yield row | {name: row[name].astimezone(UTC) for name in ("interval_start", "interval_end")}

    @cached_property
    def holes(self) -> Mapping[datetime, frozenset[str]]:
        """By interval, the named nodes that have no whole price of it, though the reply names them or the interval."""
        nodes, starts = self.named
        whole: dict[datetime, set[str]] = {start: set() for start in starts}
        pairs = self.table.select(["interval_start", "node"]).to_pydict()
        for start, node in zip(pairs["interval_start"], pairs["node"], strict=True):
            whole[start].add(node)
        for place in self.unreadable:
            whole[place.interval_start].discard(place.node)
        lacking = {start: frozenset(nodes) - found for start, found in whole.items()}
        return {start: missing for start, missing in lacking.items() if missing}

    def to_pandas(self) -> "pd.DataFrame":
        """The table as a frame of pandas, which has to be installed."""
        return self.table.to_pandas(strings_to_categorical=True)

    def to_polars(self) -> "pl.DataFrame":
        """The table as a frame of polars, which has to be installed."""
        import polars as pl  # noqa: PLC0415  # only for who wants it

        return pl.DataFrame(self.table)


def joined(several: Sequence[Prices]) -> Prices:
    """The prices of several replies of one market, of which none has a price of another, as one."""
    if len(several) == 1:
        return several[0]
    nodes = sorted({node for each in several for node in each.named[0]})
    starts = sorted({start for each in several for start in each.named[1]})
    kinds = {kind for each in several for kind in each.counts}
    return Prices(
        several[0].market,
        _sorted(pa.concat_tables([each.table for each in several]).unify_dictionaries().combine_chunks()),
        (tuple(nodes), tuple(starts)),
        tuple(place for each in several for place in each.contradictions),
        {place: text for each in several for place, text in each.unreadable.items()},
        tuple(place for each in several for place in each.doubts),
        tuple(row for each in several for row in each.bad_rows),
        tuple(name for each in several for name in each.strays),
        {kind: sum(each.counts.get(kind, 0) for each in several) for kind in sorted(kinds)},
    )


def _sorted(table: pa.Table) -> pa.Table:
    """By interval and node."""
    node = table["node"].combine_chunks()
    names = np.array(node.dictionary.to_pylist())
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.argsort(names)] = np.arange(len(names))
    starts = table["interval_start"].cast(pa.int64()).to_numpy()
    return table.take(np.lexsort((rank[node.indices.to_numpy()], starts)))


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
        pieces = self._reading.rows(component)
        if not pieces:
            return _Column(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))
        keys = [self._start_rank[piece.start] * len(self._names) + self._rank[piece.node] for piece in pieces]
        for piece, of_piece in zip(pieces, keys, strict=True):
            for row, text in piece.unreadable.items():  # what is said of the LMP stands before what is of a component
                self._unreadable.setdefault(int(of_piece[row]), f"{component} {text!r}")
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
            pa.array(start_s, pa.int64()).cast(_UTC),
            pa.array(start_s + self._interval_s, pa.int64()).cast(_UTC),
            *(pa.array(values[component], _PRICE, from_pandas=True) for component in COLUMNS),
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
    parts = values[Component.ENERGY] + values[Component.CONGESTION] + values[Component.LOSS]
    ghg = np.nan_to_num(values[Component.GHG], nan=0.0)
    with np.errstate(invalid="ignore"):
        distance: Floats = np.abs(values[Component.LMP] - parts - ghg)
        is_far: Flags = distance > TOLERANCE_USD_PER_MWH
    return is_far
