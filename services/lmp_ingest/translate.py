"""Prices to messages. Pure: a block of prices and a time in, events and states out."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import msgspec
import numpy as np

from caiso.oasis import Market
from dotbus.contracts.messages import Environment, Lmp, NodePrice, Prices, UpstreamGap
from dotbus.contracts.quality import Quality, Reason
from lmp_ingest.known.price_block import Flags, Floats, PriceBlock, absent_as_none

ID_TIME = "%Y%m%dT%H%M%SZ"
Values = tuple[float | None, float | None, float | None, float | None, float | None]
"""A price: LMP, energy, congestion, loss, greenhouse gas."""


@dataclass(frozen=True)
class Sender:
    """Who says a message, for which CAISO."""

    environment: Environment
    source: str


def same_price(one: NodePrice, other: NodePrice) -> bool:
    """Whether two prices say the same; when they were fetched does not matter."""
    return msgspec.structs.replace(one, fetched_at=other.fetched_at) == other


def values_of(price: NodePrice) -> Values:
    """What a price is; when it was fetched does not matter."""
    return (
        price.lmp_usd_per_mwh,
        price.energy_usd_per_mwh,
        price.congestion_usd_per_mwh,
        price.loss_usd_per_mwh,
        price.ghg_usd_per_mwh,
    )


def completed(price: NodePrice, known: Values | None) -> NodePrice:
    """A price with the components that an earlier answer had and this one lacks: the same LMP is made of the same parts."""
    lmp, energy, congestion, loss, ghg = known or (None,) * 5
    if price.lmp_usd_per_mwh != lmp:
        return price
    return msgspec.structs.replace(
        price,
        energy_usd_per_mwh=energy if price.energy_usd_per_mwh is None else price.energy_usd_per_mwh,
        congestion_usd_per_mwh=congestion if price.congestion_usd_per_mwh is None else price.congestion_usd_per_mwh,
        loss_usd_per_mwh=loss if price.loss_usd_per_mwh is None else price.loss_usd_per_mwh,
        ghg_usd_per_mwh=ghg if price.ghg_usd_per_mwh is None else price.ghg_usd_per_mwh,
    )


def price_events(sender: Sender, block: PriceBlock, news: Flags, now: datetime, nodes_per_event: int) -> Iterator[Prices]:
    """An event for each interval and chunk of its nodes that are news. Its id says of which nodes it is, and their prices.

    The same prices have the same id; a corrected one differs from it after the last slash only.
    """
    for place, start in enumerate(block.starts):
        numbers = np.flatnonzero(news[place])
        chunks = [numbers[at : at + nodes_per_event] for at in range(0, len(numbers), nodes_per_event)]
        for number, chunk in enumerate(chunks, 1):
            nodes = tuple(block.nodes[each] for each in chunk)
            yield _event(sender, block, _Chunk(start, nodes, block.values[place, chunk], number, len(chunks)), now)


def gap_events(
    sender: Sender, upstream: str, nodes: Sequence[str], gaps: Iterable[tuple[datetime, datetime]], now: datetime
) -> list[UpstreamGap]:
    """An event for each time of which the prices of some nodes are given up. The same ones have the same id."""
    return [
        UpstreamGap(
            environment=sender.environment,
            source=sender.source,
            time=now,
            id=f"gap/{upstream}/{start:{ID_TIME}}/{_digest((sender.source, nodes, start, end))}",
            upstream=upstream,
            missing_from=start,
            missing_until=end,
            detail=f"prices of {start:%Y-%m-%dT%H:%MZ} to {end:%Y-%m-%dT%H:%MZ} are given up, because OASIS has had none for "
            f"long or keeps none so old: {', '.join(nodes)}",
        )
        for start, end in gaps
    ]


@dataclass(frozen=True)
class _Chunk:
    """A part of an interval's nodes, their values by node and component, and which part it is."""

    start: datetime
    nodes: tuple[str, ...]
    values: Floats
    number: int
    of: int


def _event(sender: Sender, block: PriceBlock, chunk: _Chunk, now: datetime) -> Prices:
    rows = absent_as_none(chunk.values)
    lmp, energy, congestion, loss, ghg = zip(*rows, strict=True)
    return Prices(
        environment=sender.environment,
        source=sender.source,
        time=now,
        id=f"prices/{block.market}/{chunk.start:{ID_TIME}}/{_digest_of_names(chunk.nodes)}/{_digest(rows)}",
        market=block.market,
        interval_start=chunk.start,
        interval_end=chunk.start + block.interval,
        fetched_at=block.fetched_at,
        chunk=chunk.number,
        chunks=chunk.of,
        nodes=chunk.nodes,
        lmp_usd_per_mwh=lmp,
        energy_usd_per_mwh=energy,
        congestion_usd_per_mwh=congestion,
        loss_usd_per_mwh=loss,
        ghg_usd_per_mwh=ghg,
    )


@lru_cache(maxsize=1024)
def _digest_of_names(nodes: tuple[str, ...]) -> str:
    """Those of the next interval are the same, as a rule."""
    return _digest(nodes)


def _digest(content: object) -> str:
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:16]


def lmp_state(
    sender: Sender,
    market: Market,
    node: str,
    prices: Iterable[NodePrice],
    *,
    heard_at: datetime,
    valid_until: datetime,
    reasons: Iterable[Reason] = (),
    now: datetime,
) -> Lmp:
    """One node's last word at a time, from all that is known of it, with what speaks against it."""
    known = sorted(prices, key=lambda price: price.interval_start)
    return Lmp(
        environment=sender.environment,
        source=sender.source,
        time=now,
        market=market,
        node=node,
        heard_at=heard_at,
        valid_until=valid_until,
        reasons=tuple(reason.value for reason in Quality.of(reasons).reasons),
        published=known[-1] if known else None,
        active=next((price for price in known if price.interval_start <= now < price.interval_end), None),
        ahead=tuple(price for price in known if price.interval_start > now),
    )
