"""Vouching: what a source is worth now, whatever it says. Pure; docs/quality.md.

Whether it is there, hears CAISO, and has a clock that agrees with ours. It changes with what the source says of itself, and at
the few times that `turns` names.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from dotbus.contracts.quality import CLOCK_DOUBT_S, Reason
from dotbus.judging.received import Received
from dotbus.judging.sources import Source

JUST_AFTER: Final = timedelta(microseconds=1)
"""What holds until a time, and at it still, ends so long after it: no clock of ours shows less."""


def against_source(source: Source | None, upstream: str, now: datetime) -> frozenset[Reason]:
    """What speaks against all that a source says of an upstream. None is one whose status has not come on this connection."""
    return frozenset(_against_source(source, upstream, now))


def _against_source(source: Source | None, upstream: str, now: datetime) -> Iterator[Reason]:
    if source is None:
        yield Reason.CLOCK_IN_DOUBT
        return
    if not source.online:
        yield Reason.SOURCE_OFFLINE
    if source.fails_at(upstream) or source.runs.are_two(now):
        yield Reason.SOURCE_FAILING
    if _against_clock(source, upstream, now):
        yield Reason.CLOCK_IN_DOUBT


def _against_clock(source: Source, upstream: str | None, now: datetime) -> bool:
    """Whether CAISO's clock, the source's and ours were not shown to agree of late, each with each."""
    if source.clock_agrees_until is None or now > source.clock_agrees_until:
        return True
    ahead_s = max(source.clock_offsets_s)
    offsets_s = [known.clock_offset_s for known in source.behind(upstream)]
    return any(offset_s is None or max(abs(offset_s), abs(offset_s + ahead_s)) > CLOCK_DOUBT_S for offset_s in offsets_s)


def clocks_agree(source: Source, now: datetime) -> bool:
    """Whether CAISO's clock, the source's and ours were shown to agree of late, on all that it asks for."""
    return not _against_clock(source, None, now)


def hears_caiso(received: Received, service: str, stale_after_s: float, now: datetime, upstream: str | None = None) -> bool:
    """Whether any online instance of an ingest says that CAISO answers it, and said so recently enough.

    Args:
        received: what came until now.
        service: the ingest.
        stale_after_s: how long an answer counts.
        now: the gateway's clock.
        upstream: the one that matters; without it all of them must answer.
    """
    return received.hears and any(hears(source, stale_after_s, now, upstream) for source in received.sources_of(service))


def hears(source: Source, stale_after_s: float, now: datetime, upstream: str | None) -> bool:
    """The same of one instance."""
    heard_at = source.heard_caiso_at(upstream)
    if heard_at is None or _against_clock(source, upstream, now) or not source.online or source.runs.are_two(now):
        return False
    return all(known.ok for known in source.behind(upstream)) and abs((now - heard_at).total_seconds()) <= stale_after_s


def turns(source: Source, heard: Iterator[tuple[str | None, float]] | list[tuple[str | None, float]]) -> Iterator[datetime]:
    """When the passing of time alone changes what is said of a source here, be it past or to come.

    Args:
        source: as it is known now.
        heard: upstreams that `hears` is asked about, each with how long an answer counts.
    """
    ends = (source.clock_agrees_until, source.runs.two_until)
    yield from (at + JUST_AFTER for at in ends if at)
    for upstream, stale_after_s in heard:
        if heard_at := source.heard_caiso_at(upstream):
            counts = timedelta(seconds=stale_after_s)
            yield from (heard_at - counts, heard_at + counts + JUST_AFTER)
