"""Track: one market and some nodes that are asked for together, and how far we are with them. Pure.

A track has at most ten nodes, the most that one request can ask for; or it is a whole group of them, or so many that they are
asked for as the group that holds them (see `pieces` for what is asked then).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from caiso.oasis import MAX_NODES, REPORTS, Group, Market, Nodes, window_end
from lmp_ingest.planning.gaps import Span

MOST_BY_NAME = 200
"""More named nodes are asked for as the whole network: at one request in six seconds these take two minutes in each market."""
PUBLISHED_EVERY = {
    Market.RTM: REPORTS[Market.RTM].interval,
    Market.RTPD: REPORTS[Market.RTPD].interval,
    Market.HASP: timedelta(hours=1),
}
"""How often there is a new price of a real-time market; of the hour-ahead one the four quarters of an hour come together."""


@dataclass(frozen=True)
class Pace:
    """How often each market is asked, and how far back.

    Args:
        every: between questions of one track.
        day_ahead_idle: the same for the day-ahead market while none of its prices is due.
        awaited_every: the same of a market whose next price may have been published.
        wide_every: how often a window begins `wide_back` ago, for corrections.
        far_every: how often it begins `far_back` ago, for late ones.
        lookback: the most that a window begins in the past, after an outage.
    """

    every: Mapping[Market, timedelta]
    day_ahead_idle: timedelta
    awaited_every: timedelta
    wide_every: timedelta
    wide_back: timedelta
    far_every: timedelta
    far_back: timedelta
    lookback: timedelta

    @property
    def of_group(self) -> "Pace":
        """The same where a whole group of nodes is asked for: what was told of so many is not remembered for long."""
        return replace(self, far_back=min(self.far_back, self.lookback))

    @property
    def longest_back(self) -> timedelta:
        """The most that any window begins in the past."""
        return max(self.lookback, self.far_back)


@dataclass(frozen=True)
class Track:
    """One market, some nodes, and how far we are with them.

    Attributes:
        until: the end of the intervals that are complete without a hole since it began. It never passes a hole, until that
            leaves the lookback and becomes a gap.
        newest: the end of the newest interval with any price, since this process began; `found_at` is when that was asked for
            which brought it, and `next_at` when the one after it may be published at the earliest.
        asked_at: when it was last asked; `heard_at` when it was last answered.
        wide_at: when it was last asked for a wide window, and answered; `far_at` the same of one that begins still earlier.
        not_before: the end of the pause after a failure.
        complaint: the last failure's cause, empty after an answer.
        unpriced: the nodes without a price in the last answer, which had some of others. Once one of them has a price again,
            the track `catches_up`: the whole lookback is asked for, because nobody waited for what the node missed meanwhile.
        denied: the other nodes of which the last answer lacks a price that CAISO gave before and that still counts.
        bad_rows: what was wrong with rows of an answer, until a wide window is answered without any.
        gaps: what left the lookback without a price; `gap_at` is where the next one to ask for begins, `gap_not_before` when.
        in_vain: what of the gaps OASIS answered without though it is old, and since when.
        given_up: what the last answer made an end of in the gaps.
        behind: of a group, the times to read besides, for corrections and for what is missing; `behind_at` is when what is
            missing was last put there.
        live_at: of a group, the start of the piece that was last asked for.
        begins: of a group, whether no price has come yet of what lies behind, so that `until` is where it may begin at most.
    """

    market: Market
    nodes: Nodes
    until: datetime | None = None
    newest: datetime | None = None
    found_at: datetime | None = None
    next_at: datetime | None = None
    asked_at: datetime | None = None
    heard_at: datetime | None = None
    wide_at: datetime | None = None
    far_at: datetime | None = None
    not_before: datetime | None = None
    failures: int = 0
    complaint: str = ""
    unpriced: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    bad_rows: tuple[str, ...] = ()
    catches_up: bool = False
    gaps: tuple[Span, ...] = ()
    gap_at: datetime | None = None
    gap_not_before: datetime | None = None
    in_vain: tuple[tuple[Span, datetime], ...] = ()
    given_up: tuple[Span, ...] = ()
    behind: tuple[Span, ...] = ()
    behind_at: datetime | None = None
    live_at: datetime | None = None
    begins: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes whose states follow from its answers: those of a group have a track of their own where they are named."""
        return () if isinstance(self.nodes, Group) else self.nodes

    @property
    def asked_as(self) -> Nodes:
        """What a request asks for: more nodes than one may name are asked for as all that there are."""
        return self.nodes if isinstance(self.nodes, Group) or len(self.nodes) <= MAX_NODES else Group.ALL

    @property
    def is_group(self) -> bool:
        """Whether it is asked for as a whole group of nodes."""
        return isinstance(self.asked_as, Group)

    @property
    def told_as(self) -> tuple[str, ...]:
        """What is asked for, as messages name it."""
        return (self.nodes.value,) if isinstance(self.nodes, Group) else self.nodes


def tracks_of(
    markets: Sequence[Market],
    nodes: Sequence[str],
    cursors: Mapping[Market, datetime],
    gaps: Mapping[Market, tuple[Span, ...]] | None = None,
    group: Group | None = None,
    most_by_name: int = MOST_BY_NAME,
) -> list[Track]:
    """The tracks of an installation, each begun where the last process left its market.

    A node that is named is asked for by its name beside a group, too: a small reply may come often, one of the network not. But
    so many names that the rate of requests could not serve them are one track.
    """
    size = MAX_NODES if len(nodes) <= most_by_name else len(nodes)
    asked: list[Nodes] = [tuple(nodes[at : at + size]) for at in range(0, len(nodes), size)]
    missing = gaps or {}
    return [
        Track(market, each, cursors.get(market), gaps=missing.get(market, ()))
        for each in [*([group] if group else []), *asked]
        for market in markets
    ]


def holds(group: Group, node: str) -> bool:
    """Whether a group's reply has a node. Aggregated nodes are known by their names."""
    return group is Group.ALL or node.endswith("-APND")


def failed(track: Track, complaint: str, asked_at: datetime, not_before: datetime) -> Track:
    """The track after a failure."""
    failures = track.failures + 1
    return replace(track, asked_at=asked_at, not_before=not_before, failures=failures, complaint=complaint)


def set_back(tracks: Sequence[Track], now: datetime) -> list[Track]:
    """The tracks after the clock was set back: as if none had been asked yet, and none complete in what is the future now."""
    forgotten: dict[str, Any] = {"newest": None, "found_at": None, "next_at": None, "gap_not_before": None, "in_vain": ()}
    return [believed(replace(track, **forgotten), now) for track in due_now(tracks)]


def due_now(tracks: Sequence[Track]) -> list[Track]:
    """The tracks as if none had been asked yet."""
    return [replace(track, asked_at=None, wide_at=None, far_at=None, not_before=None) for track in tracks]


def believed(track: Track, now: datetime) -> Track:
    """A track that does not claim to be complete up to a time that has no prices yet: it asks for all of its lookback."""
    possible = track.until is None or track.until <= window_end(track.market, now)
    return track if possible else replace(track, until=None, catches_up=True)
