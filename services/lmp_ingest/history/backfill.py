"""Backfill: prices of the past that somebody asked for, request by request. Pure.

A backfill is as many requests as CAISO's bounds make of it (`caiso.oasis.split`), in the order of their times. How many of
them are done says how far it is, so that it goes on after a restart where it was.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import msgspec

from caiso.oasis import (
    REPORTS,
    RETENTION,
    Group,
    Market,
    Question,
    due_by,
    floor,
    interval_starts,
    is_name,
    midnight,
    named,
    split,
    trade_day,
    window_end,
)
from dotbus.contracts.messages import Backfill, BackfillRequest, Environment
from lmp_ingest.known.price_block import Flags, PriceBlock
from lmp_ingest.planning.gaps import Span, joined

MOST_AT_LEAST: Final = 0.9
"""Nodes come and go with the network, a few at a time: an interval of a group with fewer of the most is not whole."""


class BackfillRefused(Exception):
    """A request cannot be done; the message says why."""


def begun(request: BackfillRequest, environment: Environment, now: datetime) -> Backfill:
    """A backfill of which nothing is done yet.

    Raises:
        BackfillRefused: it asks for what there cannot be.
    """
    if request.environment is not environment:
        raise BackfillRefused(f"it is for {request.environment}; here is {environment}")
    if request.market not in Market.__members__:
        raise BackfillRefused(f"there is no market {request.market}; there are {', '.join(Market)}")
    market, nodes = Market(request.market), _nodes(request.nodes)
    oldest = midnight(trade_day(now - RETENTION))
    until = min(request.end, window_end(market, now))
    if until <= request.start:
        raise BackfillRefused(f"from {request.start:%Y-%m-%dT%H:%MZ} to {request.end:%Y-%m-%dT%H:%MZ} there is nothing yet")
    if request.start < oldest:
        raise BackfillRefused(f"OASIS keeps prices for 39 months, now from {oldest:%Y-%m-%dT%H:%MZ} on")
    interval = REPORTS[market].interval
    start, end = floor(request.start, interval), _ceiling(until, interval)
    asked = Backfill(
        request_id=request.request_id,
        market=market,
        nodes=nodes,
        start=start,
        end=end,
        requested_at=now,
        requests=0,
        unpriced=() if _group(nodes) else nodes,
    )
    return msgspec.structs.replace(asked, requests=sum(1 for _ in _questions(asked)))


def is_same(backfill: Backfill, request: BackfillRequest, now: datetime) -> bool:
    """Whether a request asks for what a backfill is at: the same but for how much is published by now."""
    again = begun(request, request.environment, now)
    return (again.market, again.nodes, again.start) == (backfill.market, backfill.nodes, backfill.start) and (
        again.end == backfill.end or request.end >= again.end
    )


def next_question(backfill: Backfill) -> Question | None:
    """What is to be asked next; None when it has ended."""
    return None if backfill.ended_at else next(islice(_questions(backfill), backfill.requests_done, None), None)


def answered(backfill: Backfill, asked: Question, block: PriceBlock, now: datetime) -> Backfill:
    """A backfill after an answer to its next question. One without prices says that OASIS has none."""
    counts = block.is_priced.sum(axis=1)
    most_nodes = max(backfill.most_nodes, int(counts.max(initial=0))) if isinstance(asked.nodes, Group) else 0
    of_all = _lacking(asked, block, counts >= MOST_AT_LEAST * most_nodes)
    lacking = [span for span in of_all if backfill.start <= span.start < backfill.end]  # a group's question is a whole hour
    later = [span for span in lacking if _may_come(asked.market, span.start, block, now)]
    return msgspec.structs.replace(
        _done(backfill, [span for span in lacking if span not in later], now),
        unpublished=_with(backfill.unpublished, later),
        most_nodes=most_nodes,
        prices=backfill.prices + int(counts.sum()),
        unpriced=tuple(node for node in backfill.unpriced if node not in block.priced_nodes),
        detail="",
    )


def failed(backfill: Backfill, asked: Question, cause: str, now: datetime) -> Backfill:
    """A backfill that gives up its next question."""
    done = _done(backfill, [Span(asked.start, asked.end)], now)
    return msgspec.structs.replace(done, requests_failed=backfill.requests_failed + 1, detail=cause)


def stopped(backfill: Backfill, now: datetime) -> Backfill:
    """A backfill of which nothing more is asked."""
    return msgspec.structs.replace(backfill, ended_at=backfill.ended_at or now, detail="stopped on request")


def _done(backfill: Backfill, lacking: Iterable[Span], now: datetime) -> Backfill:
    requests_done = backfill.requests_done + 1
    missing = _with(backfill.missing, lacking)
    ended_at = now if requests_done >= backfill.requests else None
    return msgspec.structs.replace(backfill, requests_done=requests_done, missing=missing, ended_at=ended_at)


def _with(known: Iterable[tuple[datetime, datetime]], more: Iterable[Span]) -> tuple[tuple[datetime, datetime], ...]:
    return tuple((start, end) for start, end in joined([*(Span(*span) for span in known), *more]))


def _may_come(market: Market, start: datetime, block: PriceBlock, now: datetime) -> bool:
    """Whether an interval is merely not published yet: it need not be, and the answer has nothing of it or after it."""
    return now < due_by(market, start) and (block.newest_end is None or start >= block.newest_end)


def _lacking(asked: Question, block: PriceBlock, is_usual: Flags) -> Iterator[Span]:
    """The intervals of which a node that was named has no whole price; of a group, those with far fewer nodes than usual."""
    if isinstance(asked.nodes, Group):
        had = {start for start, usual in zip(block.starts, is_usual.tolist(), strict=True) if usual}.intersection(block.priced)
    else:
        had = set(block.whole) if set(asked.nodes) <= set(block.nodes) else set()
    for start in interval_starts(asked.start, asked.end, block.interval):
        if start not in had:
            yield Span(start, start + block.interval)


def _ceiling(at: datetime, interval: timedelta) -> datetime:
    below = floor(at, interval)
    return below if below == at else below + interval


def _nodes(wanted: tuple[str, ...]) -> tuple[str, ...]:
    if wrong := [text for text in wanted if not is_name(text)]:
        raise BackfillRefused(f"{wrong[0]!r} is not the name of a node")
    nodes = tuple(dict.fromkeys(map(named, wanted)))
    if len(nodes) > 1 and any(node in Group.__members__.values() for node in nodes):
        raise BackfillRefused(f"{' and '.join(Group)} stand alone, for every node or every aggregated one")
    return nodes


def _group(nodes: tuple[str, ...]) -> Group | None:
    return next((group for group in Group if nodes == (group.value,)), None)


def _questions(backfill: Backfill) -> Iterator[Question]:
    nodes = _group(backfill.nodes) or backfill.nodes
    return split(Question(Market(backfill.market), nodes, backfill.start, backfill.end))
