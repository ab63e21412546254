"""CAISO's price rows to messages. Pure: rows and a time in, prices by interval, events and states out."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import msgspec

from dotbus.contracts.messages import Environment, Lmp, NodePrice, Prices, UpstreamGap
from dotbus.contracts.quality import Quality, Reason
from dotbus.runtime.installation.toml_values import Market
from lmp_ingest.records import Component, PriceRow

ID_TIME = "%Y%m%dT%H%M%SZ"
TOLERANCE_USD_PER_MWH = 5e-4
"""How far an LMP may be from the sum of its components. They are rounded to five decimals each; the largest distance in
CAISO's recorded replies is 1e-4."""

_Key = tuple[datetime, str]
"""An interval's start and a node."""

ByInterval = Mapping[datetime, Mapping[str, NodePrice]]
"""Prices by interval start (UTC) and node, both in order."""


Holes = Mapping[datetime, frozenset[str]]
"""By interval start: nodes of which something is missing there that an answer has for others, or should have."""

Values = tuple[float | None, float | None, float | None, float | None, float | None]
"""A price: LMP, energy, congestion, loss, greenhouse gas."""


@dataclass(frozen=True)
class Assembled:
    """A reply's prices. Each has an LMP; what has none is no price.

    Attributes:
        prices: those that may be said.
        holes: by interval, the nodes that the reply names without a whole price of that interval.
        contradictions: the node's intervals that the reply prices twice and differently. They are not in `prices`, because
            nobody can say which is right.
        unreadable: values that are no number, with the node, interval and component. Without its LMP a price is not in
            `prices`; without a component it is, and the component is absent.
        doubts: those whose LMP is not the sum of its components. They are in `prices`.
        bad_rows: rows that cannot be believed, with what is wrong with them (see `answer`).
    """

    prices: ByInterval
    holes: Holes = field(default_factory=dict)
    contradictions: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    bad_rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sender:
    """Who says a message, for which CAISO."""

    environment: Environment
    source: str


def assemble(rows: Iterable[PriceRow], fetched_at: datetime) -> Assembled:
    """One price per node and interval from rows in any order. A component that no row names is None."""
    found: dict[_Key, dict[Component, float | None]] = {}
    ends: dict[datetime, datetime] = {}
    contradicted: set[_Key] = set()
    unreadable: dict[_Key, str] = {}
    for row in rows:
        key = (row.interval_start, row.node)
        components = found.setdefault(key, {})
        ends[row.interval_start] = row.interval_end
        if row.unreadable is not None and (row.component is Component.LMP or key not in unreadable):
            unreadable[key] = f"{_place(key)}: {row.component} {row.unreadable!r}"
        if components.setdefault(row.component, row.usd_per_mwh) != row.usd_per_mwh:
            contradicted.add(key)
    priced = {key for key in found if found[key].get(Component.LMP) is not None} - contradicted
    prices: dict[datetime, dict[str, NodePrice]] = {}
    for start, node in sorted(priced):
        prices.setdefault(start, {})[node] = _price(start, ends[start], fetched_at, found[start, node])
    doubts = (_place((start, node)) for start, of_nodes in prices.items() for node in _doubtful(of_nodes))
    return Assembled(
        prices,
        _holes(found, priced - unreadable.keys()),
        tuple(_place(key) for key in sorted(contradicted)),
        tuple(unreadable[key] for key in sorted(unreadable)),
        tuple(doubts),
    )


def _place(key: _Key) -> str:
    start, node = key
    return f"{node} at {start:%Y-%m-%dT%H:%MZ}"


def _holes(named: Collection[_Key], whole: Collection[_Key]) -> Holes:
    """What lacks a whole price, of the intervals and nodes that a reply names at all."""
    nodes = {node for _, node in named}
    starts = sorted({start for start, _ in named})
    lacking = {start: frozenset(node for node in nodes if (start, node) not in whole) for start in starts}
    return {start: missing for start, missing in lacking.items() if missing}


def _price(start: datetime, end: datetime, fetched_at: datetime, components: Mapping[Component, float | None]) -> NodePrice:
    return NodePrice(
        interval_start=start,
        interval_end=end,
        fetched_at=fetched_at,
        lmp_usd_per_mwh=components.get(Component.LMP),
        energy_usd_per_mwh=components.get(Component.ENERGY),
        congestion_usd_per_mwh=components.get(Component.CONGESTION),
        loss_usd_per_mwh=components.get(Component.LOSS),
        ghg_usd_per_mwh=components.get(Component.GHG),
    )


def _doubtful(priced: Mapping[str, NodePrice]) -> Iterator[str]:
    for node, price in priced.items():
        gap = distance_from_sum(price)
        if gap is not None and gap > TOLERANCE_USD_PER_MWH:
            yield node


def distance_from_sum(price: NodePrice) -> float | None:
    """How far the LMP is from the sum of its components; None when one of them is absent. GHG may be, it is added if not."""
    parts = (price.energy_usd_per_mwh, price.congestion_usd_per_mwh, price.loss_usd_per_mwh)
    present = [part for part in parts if part is not None]
    if price.lmp_usd_per_mwh is None or len(present) < len(parts):
        return None
    return abs(price.lmp_usd_per_mwh - sum(present) - (price.ghg_usd_per_mwh or 0.0))


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


def price_events(sender: Sender, market: Market, prices: ByInterval, now: datetime, nodes_per_event: int) -> Iterator[Prices]:
    """An event for each interval and chunk of its nodes. Its id says of which nodes it is, and what their prices are.

    The same prices have the same id; a corrected one differs from it after the last slash only.
    """
    for priced in prices.values():
        chunks = list(_chunks(priced, nodes_per_event))
        for number, chunk in enumerate(chunks, 1):
            yield _event(sender, market, chunk, now, number, len(chunks))


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


def _event(sender: Sender, market: Market, chunk: Mapping[str, NodePrice], now: datetime, number: int, of: int) -> Prices:
    columns = [values_of(price) for price in chunk.values()]
    lmp, energy, congestion, loss, ghg = zip(*columns, strict=True)
    first = next(iter(chunk.values()))
    return Prices(
        environment=sender.environment,
        source=sender.source,
        time=now,
        id=f"prices/{market}/{first.interval_start:{ID_TIME}}/{_digest(list(chunk))}/{_digest(columns)}",
        market=market,
        interval_start=first.interval_start,
        interval_end=first.interval_end,
        fetched_at=first.fetched_at,
        chunk=number,
        chunks=of,
        nodes=tuple(chunk),
        lmp_usd_per_mwh=lmp,
        energy_usd_per_mwh=energy,
        congestion_usd_per_mwh=congestion,
        loss_usd_per_mwh=loss,
        ghg_usd_per_mwh=ghg,
    )


def _chunks(priced: Mapping[str, NodePrice], size: int) -> Iterator[dict[str, NodePrice]]:
    entries = iter(priced.items())
    while chunk := dict(islice(entries, size)):
        yield chunk


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
