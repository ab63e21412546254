"""Questions: what one request asks for, in CAISO's words, and how more than one request may ask for is split. Pure.

Source: OASIS interface specification 4.3.5, sections 2.1 (SingleZip), 2.2 (GroupZip) and 6 (notes).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from caiso.oasis.calendar import ceiling, floor, midnight, trade_day
from caiso.oasis.reports import CURRENT, CURRENT_VERSION, MAX_DAYS, MAX_NODES, REPORTS, Market

_CSV = "6"
_DAY = timedelta(days=1)


class Group(StrEnum):
    """Nodes that one request asks for without naming them, by CAISO's grp_type."""

    ALL = "ALL"
    """Every node, the aggregated ones among them: about 16,600."""
    APNODES = "ALL_APNODES"
    """Every aggregated node: trading hubs, load areas, plants of several units."""


Nodes = tuple[str, ...] | Group


@dataclass(frozen=True)
class Question:
    """One request: the prices of some nodes in one market, `start` inclusive, `end` exclusive, whole minutes.

    Attributes:
        market: which.
        nodes: at most ten names, or a group, of which CAISO answers a trade day or an hour, whatever `end` says.
        start: of the first interval.
        end: of the last one.
        version: of the report; None is the one that is usual here.
        is_current: whether only the most recently posted five minutes are asked for, whatever the times say.
        as_group: whether to ask GroupZip, which keeps more history and may answer that it is still at it (error 1015).
    """

    market: Market
    nodes: Nodes
    start: datetime
    end: datetime
    version: int | None = None
    is_current: bool = False
    as_group: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for what no request can ask for."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"a time without its zone: {self.start} to {self.end}")
        if self.is_current and self.nodes is Group.APNODES:
            raise ValueError(f"{CURRENT} has no {self.nodes}: name the nodes, or ask for {Group.ALL}")

    def __str__(self) -> str:
        if self.is_current:
            return f"{CURRENT} of {self._names}"
        return f"{self.market} {self.start:%Y-%m-%dT%H:%MZ} to {self.end:%Y-%m-%dT%H:%MZ} of {self._names}"

    @property
    def _names(self) -> str:
        return self.nodes if isinstance(self.nodes, Group) else ", ".join(self.nodes)

    @property
    def query_name(self) -> str:
        """The report that is asked for."""
        return CURRENT if self.is_current else REPORTS[self.market].query_name

    @property
    def servlet(self) -> str:
        """The part of the service that is asked."""
        return "GroupZip" if self.as_group else "SingleZip"

    def parameters(self) -> Mapping[str, str]:
        """As the specification writes them, times in UTC."""
        report = REPORTS[self.market]
        times = {"startdatetime": minute(self.start), "enddatetime": minute(self.end)}
        version = self.version or (CURRENT_VERSION if self.is_current else report.version)
        if self.as_group:
            return {"groupid": report.group_id, **times, "version": str(version), "resultformat": _CSV}
        asked = {"queryname": self.query_name, **times, "version": str(version)}
        if not self.is_current:
            asked["market_run_id"] = self.market.value
        if not isinstance(self.nodes, Group):
            return {**asked, "node": ",".join(self.nodes), "resultformat": _CSV}
        named = {"node": self.nodes.value} if self.is_current else {"grp_type": self.nodes.value}
        return {**asked, **named, "resultformat": _CSV}


def split(asked: Question) -> Iterator[Question]:
    """The requests that a question of any length and of any number of nodes comes to, in the order of their times.

    At most ten nodes and thirty Pacific days each, cut at Pacific midnights. Of a group one whole trade day or hour, however
    little of it is asked for: CAISO answers no less. Each begins and ends with an interval, so that what it is answered with is
    the intervals that begin from `start` on and before `end`.
    """
    if asked.is_current:
        yield from _of_nodes(asked)
        return
    start, end = _whole(asked)
    while start < end:
        cut = min(_next_cut(asked, start), end)
        yield from _of_nodes(replace(asked, start=start, end=cut))
        start = cut


def _whole(asked: Question) -> tuple[datetime, datetime]:
    """From the first interval to the end of the last; of a group, those of the days or hours that they lie in."""
    interval = REPORTS[asked.market].interval
    start, end = (ceiling(at.astimezone(UTC), interval) for at in (asked.start, asked.end))
    if start >= end or not isinstance(asked.nodes, Group):
        return start, end
    return _span(asked.market, start)[0], _span(asked.market, end - interval)[1]


def _span(market: Market, at: datetime) -> tuple[datetime, datetime]:
    """The trade day or the hour that a time lies in, of which a request for a group is answered (section 6)."""
    report = REPORTS[market]
    if report.is_daily:
        return midnight(trade_day(at)), midnight(trade_day(at) + _DAY)
    return floor(at, report.span), floor(at, report.span) + report.span


def _of_nodes(asked: Question) -> Iterator[Question]:
    if isinstance(asked.nodes, Group):
        yield asked
        return
    for at in range(0, len(asked.nodes), MAX_NODES):
        yield replace(asked, nodes=asked.nodes[at : at + MAX_NODES])


def _next_cut(asked: Question, start: datetime) -> datetime:
    if isinstance(asked.nodes, Group):
        return _span(asked.market, start)[1]
    return midnight(trade_day(start) + MAX_DAYS * _DAY)


def minute(at: datetime) -> str:
    """A time as CAISO's parameters have it."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H:%M-0000")
