"""CAISO's price rows to messages. Pure: rows and a time in, prices by interval, events and states out."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import msgspec

from caiso import oasis
from caiso.oasis import Market
from dotbus.contracts.messages import Environment, Lmp, NodePrice, Prices, UpstreamGap
from dotbus.contracts.quality import Quality, Reason

ID_TIME = "%Y%m%dT%H%M%SZ"
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


def assemble(prices: oasis.Prices, fetched_at: datetime) -> Assembled:
    """A reply's prices by interval and node. A component that no row names is None."""
    found: dict[datetime, dict[str, NodePrice]] = {}
    for row in prices.rows():
        node = row.pop("node")
        found.setdefault(row["interval_start"], {})[node] = NodePrice(fetched_at=fetched_at, **row)
    return Assembled(
        found,
        prices.holes,
        tuple(map(str, prices.contradictions)),
        tuple(f"{place}: {text}" for place, text in prices.unreadable.items()),
        tuple(map(str, prices.doubts)),
    )


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
