"""How each market is, from the tracks that ask for it. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from caiso.oasis import REPORTS, Market, due_by, floor, midnight, trade_day
from dotbus.contracts.messages import Missing
from lmp_ingest.planning.gaps import Span, joined
from lmp_ingest.planning.track import Track

NAMED_AT_ONCE = 10
"""The most nodes or gaps that one line names."""


def heard_at(tracks: Sequence[Track], market: Market) -> datetime | None:
    """When a market was last heard: as of the track that was heard the longest ago. None until each was asked.

    A track that fails does not count while another is heard: what it asks for is in doubt, the others' prices are not.
    """
    heard = [track.heard_at for track in _of(tracks, market) if not track.failures]
    return None if None in heard else min((at for at in heard if at), default=None)


def cursor(tracks: Sequence[Track], market: Market) -> datetime | None:
    """How far a market is complete: as far as its slowest track that was ever heard. None until each has begun."""
    if any(track.begins for track in _of(tracks, market)):
        return None
    return min((track.until for track in _of(tracks, market) if track.until), default=None)


def gaps(tracks: Sequence[Track], market: Market) -> tuple[Span, ...]:
    """What is missing of a market for any of its nodes, though the cursor is past it."""
    return joined(gap for track in _of(tracks, market) for gap in track.gaps)


def missing(tracks: Sequence[Track], market: Market, now: datetime) -> tuple[Missing, ...]:
    """What is still asked for though it must have been published, by the nodes of each track."""
    return tuple(one for track in _of(tracks, market) for one in _missing(track, now))


def _missing(track: Track, now: datetime) -> Iterator[Missing]:
    for gap in track.gaps:
        yield Missing(start=gap.start, end=gap.end, names=track.told_as)
    if track.until is not None and now > due_by(track.market, track.until):
        yield Missing(start=track.until, end=_due_until(track.market, track.until, now), names=track.told_as)


def _due_until(market: Market, overdue: datetime, now: datetime) -> datetime:
    """The end of what must have been published by now, of which the interval that begins at `overdue` is the first."""
    if REPORTS[market].is_daily:
        day = trade_day(overdue)
        while due_by(market, midnight(day)) < now:
            day += timedelta(days=1)
        return midnight(day)
    return floor(now - (due_by(market, overdue) - overdue), REPORTS[market].interval) + REPORTS[market].interval


def unpriced(tracks: Sequence[Track], market: Market) -> list[str]:
    """The nodes that CAISO does not price though it prices others beside them."""
    return sorted(node for track in _of(tracks, market) for node in track.unpriced)


def denied(tracks: Sequence[Track], market: Market) -> list[str]:
    """The nodes of which CAISO has prices, but not all any more that it gave."""
    return sorted(node for track in _of(tracks, market) for node in track.denied)


def complaints(tracks: Sequence[Track], market: Market, now: datetime) -> tuple[str, ...]:
    """What is wrong with parts of a market, whether or not the rest of it is well."""
    return tuple(_complaints(_of(tracks, market), market, now))


def _complaints(tracks: Sequence[Track], market: Market, now: datetime) -> Iterator[str]:
    failing = [track for track in tracks if track.failures]
    for cause in dict.fromkeys(track.complaint for track in failing):
        if len(failing) < len(tracks):  # of all of them, the upstream itself tells
            yield f"nothing is heard of {_named(_nodes(track for track in failing if track.complaint == cause))}: {cause}"
    if nodes := unpriced(tracks, market):
        yield f"CAISO gives no price for {_named(nodes)}: is the name right?"
    if nodes := denied(tracks, market):
        yield f"CAISO has no more what it gave of {_named(nodes)}"
    if bad := [row for track in tracks for row in track.bad_rows]:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        yield f"rows of CAISO's that cannot be believed are left out: {bad[0]}{more}"
    if late := [track for track in tracks if is_overdue(track, now)]:
        since = min(track.until for track in late if track.until)
        yield f"not complete since {since:%Y-%m-%dT%H:%MZ}: {_named(_nodes(late))}"
    if missing := gaps(tracks, market):
        yield f"missing: {_named([str(gap) for gap in reversed(missing)])}"


def is_overdue(track: Track, now: datetime) -> bool:
    """Whether a price that a track lacks must have been published by now, and is not about to be read."""
    is_about_to_be_read = bool(track.behind) and track.until is not None and track.behind[0].start <= track.until
    return track.until is not None and not is_about_to_be_read and now > due_by(track.market, track.until)


def _nodes(tracks: Iterable[Track]) -> list[str]:
    return [node for track in tracks for node in track.told_as]


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED_AT_ONCE} more" if len(names) > NAMED_AT_ONCE else ""
    return f"{', '.join(names[:NAMED_AT_ONCE])}{more}"


def _of(tracks: Sequence[Track], market: Market) -> list[Track]:
    return [track for track in tracks if track.market is market]
