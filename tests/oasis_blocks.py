"""Blocks of prices for tests: made from a few prices, and taken apart again."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import numpy as np

from caiso.oasis import Market
from dotbus.contracts.messages import NodePrice
from lmp_ingest.known.price_block import COLUMNS, PriceBlock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Key = tuple[datetime, str]


def block(
    market: Market,
    prices: Iterable[tuple[str, NodePrice]],
    holes: Mapping[datetime, frozenset[str]] | None = None,
    fetched_at: datetime | None = None,
) -> PriceBlock:
    """Such prices of such nodes; nothing else is a hole but what is named."""
    priced = {(price.interval_start, node): price for node, price in prices}
    lacking = {(start, node) for start, nodes in (holes or {}).items() for node in nodes}
    starts = tuple(sorted({start for start, _ in (*priced, *lacking)}))
    nodes = tuple(sorted({node for _, node in (*priced, *lacking)}))
    rows = [[priced.get((start, node)) for node in nodes] for start in starts]
    values = np.array([[[getattr(price, name, None) for name in COLUMNS] for price in row] for row in rows], dtype=float)
    at = fetched_at or next((price.fetched_at for price in priced.values()), EPOCH)
    shape = (len(starts), len(nodes))
    flags = np.array([[(start, node) in lacking for node in nodes] for start in starts], dtype=bool)
    return PriceBlock(market, at, starts, nodes, values.reshape(*shape, len(COLUMNS)), flags.reshape(shape))


def flat(of: PriceBlock) -> dict[Key, NodePrice]:
    """Each price of a block."""
    return {(start, node): of.price(start, node) for node in of.nodes for start in of.priced_starts_of(node)}


def holes_of(of: PriceBlock) -> set[Key]:
    """Each hole of a block."""
    return {(start, node) for node in of.nodes for start in of.holes_of(node)}
