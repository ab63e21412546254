"""Whose turn it is. Pure: which track is asked next, and when.

One request at a time goes to CAISO, for the track that is most behind its pace, so that none starves when there are more tracks
than the permitted rate can serve. A market is asked more often just when its next price is due: CAISO does not say when it
publishes, so that is learnt from when the last one came. Only one track of the market looks for it, because all nodes are
published together; once it is there the others are asked at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from caiso.oasis import PACIFIC, REPORTS, Market, midnight
from lmp_ingest.planning.plan import GROUP_SOONER
from lmp_ingest.planning.track import PUBLISHED_EVERY, Pace, Track

DAY_AHEAD_DUE_FROM: Final = time(12)
"""Pacific time from which tomorrow's day-ahead prices are looked for; CAISO publishes them by 13:00."""
VOUCHED_PERIODS: Final = 3
"""A state holds for so many of the periods after which it is said again at the latest."""
AWAITED_FOR: Final = timedelta(minutes=2)
"""So long a price that is due is asked for often. One that is still later is found at its market's usual pace."""

_DAY: Final = timedelta(days=1)
_FIRST_ASKED: Final = (Market.RTM, Market.RTPD, Market.HASP, Market.DAM, Market.RUC)
"""After a start: what is worth something for the shortest time comes first."""


@dataclass(frozen=True)
class _Newest:
    """The newest price of a market that any of its tracks has.

    Attributes:
        end: of its interval; None while no track has any.
        found_at: when the first question for it was asked that brought it.
        next_at: when the price after it may be published at the earliest; None while nobody knows.
        looks: the track that looks for it.
    """

    end: datetime | None
    found_at: datetime | None
    next_at: datetime | None
    looks: Track


def due_at(track: Track, tracks: Iterable[Track], pace: Pace, now: datetime) -> datetime:
    """When one of the tracks is to be asked (again), see `most_overdue`."""
    return _due_at(track, _newest([each for each in tracks if each.market is track.market]), pace, now)


def most_overdue(tracks: Sequence[Track], pace: Pace, now: datetime) -> Track | None:
    """The track to ask now: the most periods late, those never asked first; None while none is due."""
    newest = _newest_of_each(tracks)
    late = ((track, now - _due_at(track, newest[track.market], pace, now)) for track in tracks)
    due = [(track, by) for track, by in late if by >= timedelta()]

    def lateness(one: tuple[Track, timedelta]) -> tuple[float, int]:
        track, by = one
        periods = float("inf") if track.asked_at is None else by / _period(track, pace, now)
        return periods, -_FIRST_ASKED.index(track.market)

    return max(due, key=lateness)[0] if due else None


def next_due(tracks: Sequence[Track], pace: Pace, now: datetime) -> datetime | None:
    """When the first track is due; None when there are none."""
    newest = _newest_of_each(tracks)
    return min((_due_at(track, newest[track.market], pace, now) for track in tracks), default=None)


def day_ahead_is_due(until: datetime | None, now: datetime) -> bool:
    """Whether prices of today, or from noon on of tomorrow, are still missing after `until`."""
    local = now.astimezone(PACIFIC)
    days = 2 if local.time() >= DAY_AHEAD_DUE_FROM else 1
    return until is None or until < midnight(local.date() + days * _DAY)


def vouched_for(tracks: Sequence[Track], pace: Pace, spacing: timedelta, refresh: timedelta) -> dict[Market, timedelta]:
    """How long what is said of each market holds: a state that CAISO confirms is said again well before.

    With more tracks than the rate of requests can serve, each of their periods grows in proportion.
    """
    periods = [(track, _longest_period(track, pace)) for track in tracks]
    load = sum((spacing / period for _, period in periods), 0.0)
    longest = {track.market: period for track, period in periods if track.names}
    return {market: VOUCHED_PERIODS * (period * max(load, 1.0) + refresh) for market, period in longest.items()}


def _due_at(track: Track, newest: _Newest, pace: Pace, now: datetime) -> datetime:
    """At once when it never was, at its pace or when a price is due, and not before the pause after a failure is over."""
    if track.asked_at is None:
        return now
    due = track.asked_at + _period(track, pace, now)
    if sooner := _sooner(track, track.asked_at, newest, pace, now):
        due = min(due, sooner)
    return max(due, track.not_before) if track.not_before else due


def _period(track: Track, pace: Pace, now: datetime) -> timedelta:
    idle = REPORTS[track.market].is_daily and not day_ahead_is_due(track.until, now)
    return _idle_period(track, pace) if idle else _usual_period(track, pace)


def _usual_period(track: Track, pace: Pace) -> timedelta:
    """A whole group of nodes is asked for once an interval, besides when its next price is due: each reply is large.

    Where states live on it, of whatever market, once in five minutes.
    """
    every = pace.every[track.market]
    if not track.is_group:
        return every
    published_every = PUBLISHED_EVERY.get(track.market, every)
    return max(every, min(published_every, PUBLISHED_EVERY[Market.RTM]) if track.names else published_every)


def _idle_period(track: Track, pace: Pace) -> timedelta:
    return max(pace.day_ahead_idle, pace.wide_every) if track.is_group and not track.names else pace.day_ahead_idle


def _longest_period(track: Track, pace: Pace) -> timedelta:
    usual = _usual_period(track, pace)
    return max(usual, _idle_period(track, pace)) if REPORTS[track.market].is_daily else usual


def _sooner(track: Track, asked_at: datetime, newest: _Newest, pace: Pace, now: datetime) -> datetime | None:
    """When what is published makes a track due before its pace does."""
    is_behind = newest.end is not None and (track.newest is None or track.newest < newest.end)
    if is_behind and newest.found_at and asked_at < newest.found_at:
        return newest.found_at
    if newest.next_at is None or track is not newest.looks:
        return None
    if asked_at < newest.next_at:
        return newest.next_at
    every = GROUP_SOONER if track.is_group else pace.awaited_every
    return asked_at + every if now < newest.next_at + AWAITED_FOR else None


def _newest_of_each(tracks: Iterable[Track]) -> Mapping[Market, _Newest]:
    of: dict[Market, list[Track]] = {}
    for track in tracks:
        of.setdefault(track.market, []).append(track)
    return {market: _newest(some) for market, some in of.items()}


def _newest(tracks: Sequence[Track]) -> _Newest:
    end = max((track.newest for track in tracks if track.newest), default=None)
    having = [track for track in tracks if end and track.newest == end]
    return _Newest(
        end,
        min((track.found_at for track in having if track.found_at), default=None),
        max((track.next_at for track in having if track.next_at), default=None),
        min(tracks, key=lambda track: (track.failures, track.is_group)),
    )
