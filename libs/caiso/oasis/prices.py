"""Prices: what a reply comes to, a row for each node and interval, its components side by side; and what is odd about it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from caiso.oasis.errors import shown
from caiso.oasis.reading.columns import BadRow, time_of
from caiso.oasis.reports import Component, Market

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

COLUMNS: Final[Mapping[Component, str]] = {
    Component.LMP: "lmp_usd_per_mwh",
    Component.ENERGY: "energy_usd_per_mwh",
    Component.CONGESTION: "congestion_usd_per_mwh",
    Component.LOSS: "loss_usd_per_mwh",
    Component.GHG: "ghg_usd_per_mwh",
}
_ROWS_AT_ONCE: Final = 50_000
UTC_SECONDS: Final = pa.timestamp("s", "UTC")
USD_PER_MWH: Final = pa.float64()
SCHEMA: Final = pa.schema(
    [
        pa.field("node", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("interval_start", UTC_SECONDS, nullable=False),
        pa.field("interval_end", UTC_SECONDS, nullable=False),
        *(pa.field(name, USD_PER_MWH, nullable=True, metadata={"unit": "USD/MWh"}) for name in COLUMNS.values()),
    ]
)


class Place(NamedTuple):
    """A node's interval."""

    interval_start: datetime
    node: str

    def __str__(self) -> str:
        return f"{shown(self.node, 60)} at {self.interval_start:%Y-%m-%dT%H:%MZ}"


@dataclass(frozen=True)
class Prices:
    """The prices of one market. Each has an LMP; what has none is no price.

    Attributes:
        market: of all of them.
        table: a row for each node and interval, by interval and node (`SCHEMA`). A component that CAISO did not send is null.
        named: the nodes, and the starts of the intervals, that the reply names at all.
        contradictions: where it has two prices and not the same. They are not in `table`: nobody can say which is right.
        unreadable: where a value is no number, with the component and what stands there, or an LMP is blank. Without its LMP a
            price is not in `table`; without a component it is, and the component is null.
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
        """Each price as a dict of its columns' names, for who needs objects; the table is for many."""
        names = self.table.schema.names
        for batch in self.table.to_batches(max_chunksize=_ROWS_AT_ONCE):
            for values in zip(*map(_objects, batch.columns), strict=True):
                yield dict(zip(names, values, strict=True))

    @cached_property
    def holes(self) -> Mapping[datetime, frozenset[str]]:
        """By interval, the named nodes that have no whole price of it, though the reply names them or the interval."""
        nodes, starts = self.named
        if len(self) == len(nodes) * len(starts) and not self.unreadable:
            return {}
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


def _objects(column: pa.Array) -> list[Any]:
    """A column as Python's objects, each text and each time made once."""
    if column.type == UTC_SECONDS:
        seconds = column.view(pa.int64()).to_pylist()
        times = {each: time_of(each) for each in set(seconds)}
        return [times[each] for each in seconds]
    if pa.types.is_dictionary(column.type):
        texts = column.dictionary.to_pylist()
        return [texts[each] for each in column.indices.to_pylist()]
    found: list[Any] = column.to_pylist()
    return found


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
