"""Missing: what was asked for and did not come. Pure.

CAISO answers with what it has, and says nothing of a node that it does not know, or of an interval that it left out.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from caiso.oasis.calendar import interval_starts
from caiso.oasis.prices import Prices
from caiso.oasis.reports import REPORTS, due_by


def unpriced(prices: Prices, nodes: Sequence[str]) -> tuple[str, ...]:
    """Those of the nodes, by CAISO's names, that have no price at all: most likely CAISO knows no such name."""
    priced = set(prices.table["node"].unique().to_pylist())
    return tuple(node for node in nodes if node not in priced)


def due(prices: Prices, start: datetime, end: datetime, now: datetime) -> list[datetime]:
    """The starts of the intervals from `start` to `end`, exclusive, whose prices must be there.

    Those are what must be published by now, and what is not newer than the newest that came.
    """
    newest = max(prices.named[1], default=start)
    starts = interval_starts(start, end, REPORTS[prices.market].interval)
    return [at for at in starts if at <= newest or due_by(prices.market, at) <= now]


def missing(prices: Prices, nodes: Sequence[str], starts: Sequence[datetime]) -> Mapping[str, tuple[datetime, ...]]:
    """By node the intervals of which it has no price, those of `unpriced` nodes too. Who has every one is not in it."""
    node, start = prices.table["node"].combine_chunks(), prices.table["interval_start"]
    rows = pc.index_in(node.dictionary, pa.array(nodes, pa.string())).fill_null(-1).to_numpy()[node.indices.to_numpy()]
    ats = pc.index_in(start, pa.array(starts, start.type)).fill_null(-1).to_numpy()
    is_there = np.zeros((len(nodes), len(starts)), dtype=np.bool_)
    is_wanted = (rows >= 0) & (ats >= 0)
    is_there[rows[is_wanted], ats[is_wanted]] = True
    lacking = np.flatnonzero(~is_there.all(axis=1))
    return {nodes[row]: tuple(starts[at] for at in np.flatnonzero(~is_there[row]).tolist()) for row in lacking.tolist()}
