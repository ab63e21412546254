"""Sifting: what of a batch of events is news, what was said before, and what says something else than what came first.

A dispatch that does not name its resource is no news beside one that does: its source may not see it.

Events are sifted in their order, each against what is stored and against those before it. What comes of it counts once all that
is news is stored.
"""

from collections.abc import Mapping, Sequence

import msgspec

from historian.database import Connection
from historian.write.reading.arrivals import CONTRADICTION, Arrival, Rejection, Written, recorded_of
from historian.write.reading.digest import PRICE_COLUMNS, digest_of
from historian.write.reading.events import KeptPrices, Key, named_key_of
from historian.write.reading.record import Position
from historian.write.storing.known import digests_of
from historian.write.storing.numbers import Numbers
from historian.write.storing.price_times import Said, Time, Values, read_said, time_of, values_of

NAMED_NODES = 3
"""Of those whose prices differ."""
replace = msgspec.structs.replace


class Sifted(msgspec.Struct):
    """What became of a batch.

    Attributes:
        news: events to store. One of prices has only the nodes that no other has.
        repeats: those that were stored already.
        rejections: those that say something else than what came first.
    """

    news: list[Arrival] = []
    repeats: list[Position] = []
    rejections: list[Rejection] = []


def sift(connection: Connection, numbers: Numbers, events: Sequence[Arrival]) -> Sifted:
    """Sift events; the numbers of their nodes are known."""
    recorded = [recorded_of(arrival) for arrival in events]
    known = digests_of(connection, [each.event for each in recorded])
    sifted = Sifted()
    prices = [
        each.event
        for each in recorded
        if isinstance(each.event, KeptPrices) and (each.key not in known or known[each.key] not in (None, each.digest))
    ]
    said = read_said(connection, prices, numbers.nodes.known) if prices else {}
    keys = known.keys() | {each.key for each in recorded}
    for arrival, each in zip(events, recorded, strict=True):
        is_known = each.key in known
        if named_key_of(each.event) in keys or (is_known and known[each.key] in (None, each.digest)):
            sifted.repeats.append(each.position)
        elif isinstance(each.event, KeptPrices):
            _sift_prices(arrival, each.event, said, sifted, is_known=is_known)
        elif is_known:
            pass_over(arrival, known[each.key], sifted)
        else:
            sifted.news.append(arrival)
    return sifted


def pass_over(arrival: Arrival, digest: int | None, into: Sifted | Written) -> None:
    """An event whose key is taken: the same again, or a contradiction of the one that came first."""
    recorded = recorded_of(arrival)
    if digest is None or digest == recorded.digest:
        into.repeats.append(recorded.position)
    else:
        _contradict(arrival, f"says something else than what came first as {_name_of(recorded.key)}", into)


def _contradict(arrival: Arrival, reason: str, into: Sifted | Written) -> None:
    into.rejections.append(Rejection(arrival, reason, CONTRADICTION))


def _sift_prices(
    arrival: Arrival, event: KeptPrices, said: dict[Time, dict[str, Said]], sifted: Sifted, *, is_known: bool
) -> None:
    """A report: the nodes that are news are news, and whoever says other prices of a node is told which."""
    recorded = recorded_of(arrival)
    at_time = said.setdefault(time_of(event), {})
    news = {node: values for node, values in values_of(event) if node not in at_time}
    if news and is_known:
        _contradict(arrival, f"says something else than what came first as {_name_of(recorded.key)}", sifted)
        return
    differing = [node for node, values in values_of(event) if node not in news and at_time[node].values != values]
    if differing:
        first = _name_of((*recorded.key[:3], at_time[differing[0]].event_id, ""))
        _contradict(arrival, f"other prices of {_some_of(differing)} than what came first as {first}", sifted)
    if news:
        at_time.update({node: Said(values, event.id) for node, values in news.items()})
        sifted.news.append(arrival if len(news) == len(event.nodes) else _part(arrival, event, news))
    elif not differing:
        sifted.repeats.append(recorded.position)


def _part(arrival: Arrival, event: KeptPrices, news: Mapping[str, Values]) -> Arrival:
    """The same report with some of its nodes. Its digest is of those: when it comes again it is sifted again."""
    columns = dict(zip(PRICE_COLUMNS, zip(*news.values(), strict=True), strict=True))
    part = replace(event, nodes=tuple(news), **columns)
    return replace(arrival, meaning=replace(recorded_of(arrival), event=part, digest=digest_of(part)))


def _some_of(nodes: Sequence[str]) -> str:
    shown, more = ", ".join(nodes[:NAMED_NODES]), len(nodes) - NAMED_NODES
    return f"{shown} and {more} more nodes" if more > 0 else shown


def _name_of(key: Key) -> str:
    return "/".join(part for part in key if part)
