"""What to ask next. Pure: the time and what is known in, a question or a time to wait for out.

A *track* is one market and at most ten nodes, the most that one request can ask for. Each has its own pace; one request at a
time goes to CAISO, for the track that is most behind its pace, so that none starves when there are more tracks than the
permitted rate can serve.

A question's window begins a little before what was last heard, which bridges an outage. Every so often it begins long before
that, because CAISO corrects prices without saying so.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from dotbus.contracts.messages import NodePrice
from dotbus.runtime.toml_values import Market
from lmp_ingest.records import Question
from lmp_ingest.reports import MAX_NODES, PACIFIC, REPORTS, midnight, trade_day
from lmp_ingest.translate import ByInterval

OVERLAP = timedelta(minutes=30)
"""How far a real-time window begins before what was last heard."""

DAY_AHEAD_DUE_FROM = time(12)
"""Pacific time from which tomorrow's day-ahead prices are looked for; CAISO publishes them by 13:00."""

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pace:
    """How often each market is asked, and how far back.

    Args:
        every: between questions of one track.
        day_ahead_idle: the same for the day-ahead market while none of its prices is due.
        wide_every: how often a window begins `wide_back` ago, for corrections.
        lookback: the most that a window begins in the past, after an outage.
    """

    every: Mapping[Market, timedelta]
    day_ahead_idle: timedelta
    wide_every: timedelta
    wide_back: timedelta
    lookback: timedelta


@dataclass(frozen=True)
class Track:
    """One market, some nodes, and how far we are with them.

    Attributes:
        until: the end of the last interval that is complete.
        asked_at: when it was last asked; `heard_at` when it was last answered.
        wide_at: when it was last asked for a wide window, and answered.
        not_before: the end of the pause after a failure.
        complaint: the last failure's cause, empty after an answer.
    """

    market: Market
    nodes: tuple[str, ...]
    until: datetime | None = None
    asked_at: datetime | None = None
    heard_at: datetime | None = None
    wide_at: datetime | None = None
    not_before: datetime | None = None
    failures: int = 0
    complaint: str = ""


def tracks_of(markets: Sequence[Market], nodes: Sequence[str], cursors: Mapping[Market, datetime]) -> list[Track]:
    """The tracks of an installation, each begun where the last process left its market."""
    groups = [tuple(nodes[at : at + MAX_NODES]) for at in range(0, len(nodes), MAX_NODES)]
    return [Track(market, group, until=cursors.get(market)) for group in groups for market in markets]


def due_at(track: Track, pace: Pace, now: datetime) -> datetime:
    """When a track is to be asked (again): at once when it never was, not before the pause after a failure is over."""
    if track.asked_at is None:
        return now
    due = track.asked_at + _period(track, pace, now)
    return max(due, track.not_before) if track.not_before else due


def _period(track: Track, pace: Pace, now: datetime) -> timedelta:
    idle = track.market is Market.DAM and not day_ahead_is_due(track.until, now)
    return pace.day_ahead_idle if idle else pace.every[track.market]


def day_ahead_is_due(until: datetime | None, now: datetime) -> bool:
    """Whether prices of today, or from noon on of tomorrow, are still missing after `until`."""
    local = now.astimezone(PACIFIC)
    days = 2 if local.time() >= DAY_AHEAD_DUE_FROM else 1
    return until is None or until < midnight(local.date() + days * _DAY)


def most_overdue(tracks: Sequence[Track], pace: Pace, now: datetime) -> Track | None:
    """The track to ask now: the most periods late, those never asked first; None while none is due."""

    def lateness(track: Track) -> float:
        if track.asked_at is None:
            return float("inf")
        return (now - due_at(track, pace, now)) / _period(track, pace, now)

    due = [track for track in tracks if due_at(track, pace, now) <= now]
    return max(due, key=lateness, default=None)


def next_due(tracks: Sequence[Track], pace: Pace, now: datetime) -> datetime | None:
    """When the first track is due; None when there are none."""
    return min((due_at(track, pace, now) for track in tracks), default=None)


def question(track: Track, pace: Pace, now: datetime) -> Question:
    """What to ask for a track now. The end may lie in the future: CAISO answers with what it has."""
    if track.market is Market.DAM:
        return _day_ahead_question(track, pace, now)
    report = REPORTS[track.market]
    starts = [now - pace.wide_back] if is_wide(track, pace, now) else []
    starts += [track.until - OVERLAP] if track.until else []
    start = max(min(starts), now - pace.lookback)
    end = now + report.ahead + report.interval
    return Question(track.market, track.nodes, _floor(start, report.interval), _floor(end, report.interval))


def _day_ahead_question(track: Track, pace: Pace, now: datetime) -> Question:
    """Whole trade days: today and tomorrow, and those since the last complete one."""
    today = trade_day(now)
    first = trade_day(max(track.until, now - pace.lookback)) if track.until else today
    return Question(track.market, track.nodes, midnight(min(first, today)), midnight(today + 2 * _DAY))


def is_wide(track: Track, pace: Pace, now: datetime) -> bool:
    """Whether it is time to look far back, for corrections."""
    return track.wide_at is None or track.until is None or now - track.wide_at >= pace.wide_every


def _floor(at: datetime, interval: timedelta) -> datetime:
    return at - (at - at.min.replace(tzinfo=at.tzinfo)) % interval


def answered(track: Track, asked: Question, prices: ByInterval, pace: Pace, asked_at: datetime) -> Track:
    """The track after an answer to a question that was asked at a time."""
    until = complete_run(asked, prices) if track.market is Market.DAM else newest_complete(prices)
    return replace(
        track,
        until=max((at for at in (track.until, until) if at), default=None),
        asked_at=asked_at,
        heard_at=asked_at,
        wide_at=asked_at if is_wide(track, pace, asked_at) else track.wide_at,
        not_before=None,
        failures=0,
        complaint="",
    )


def failed(track: Track, complaint: str, asked_at: datetime, not_before: datetime) -> Track:
    """The track after a failure."""
    failures = track.failures + 1
    return replace(track, asked_at=asked_at, not_before=not_before, failures=failures, complaint=complaint)


def without_times(tracks: Sequence[Track]) -> list[Track]:
    """The tracks as if none had been asked yet, for a clock that was set back. How far they are complete stays."""
    return [replace(track, asked_at=None, wide_at=None, not_before=None) for track in tracks]


def heard_at(tracks: Sequence[Track], market: Market) -> datetime | None:
    """When a market was last heard as a whole; None while any of its tracks fails or was never answered."""
    heard = [None if track.failures else track.heard_at for track in tracks if track.market is market]
    return None if None in heard else min((at for at in heard if at), default=None)


def cursor(tracks: Sequence[Track], market: Market) -> datetime | None:
    """How far a market is complete: as far as its slowest track that was ever heard."""
    return min((track.until for track in tracks if track.market is market and track.until), default=None)


def nodes_of(prices: ByInterval) -> set[str]:
    """Every node that has any price. Others are unknown to CAISO, or have none yet."""
    return {node for priced in prices.values() for node in priced}


def newest_complete(prices: ByInterval) -> datetime | None:
    """The end of the newest interval in which every node that has any price has its LMP."""
    nodes = nodes_of(prices)
    return max((_end(priced) for priced in prices.values() if _is_complete(priced, nodes)), default=None)


def complete_run(asked: Question, prices: ByInterval) -> datetime | None:
    """The end of the intervals that are complete without a gap from the start of a window.

    In real time, so that a day of 23 or 25 hours is complete when it has 23 or 25 prices.
    """
    nodes, until = nodes_of(prices), asked.start
    while _is_complete(prices.get(until, {}), nodes):
        until = _end(prices[until])
    return until if until > asked.start else None


def _is_complete(priced: Mapping[str, NodePrice], nodes: Collection[str]) -> bool:
    return bool(priced) and len(priced) == len(nodes) and all(price.lmp_usd_per_mwh is not None for price in priced.values())


def _end(priced: Mapping[str, NodePrice]) -> datetime:
    return next(iter(priced.values())).interval_end
