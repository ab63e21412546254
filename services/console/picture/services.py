"""Services: how each instance is, in words, and what to do where something is wrong. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from console.following import HeardStatus
from console.picture.parts import ShownGap, ShownService, ShownUpstream
from console.picture.words import GOOD, level_word, span
from dotbus.contracts.messages import ServiceStatus, Upstream, UpstreamGap
from dotbus.contracts.quality import CLOCK_DOUBT_S, Level
from dotbus.judging.hearing import SILENT_AFTER

CERTIFICATE_SOON_DAYS: Final = 30.0
UNPUBLISHED_MOST: Final = 100
"""Events that wait for the broker at any time while it is there are a few."""
STOPPED, SILENT, DEGRADED, RUNNING = "stopped", "silent", "degraded", "running"
_LEVEL_OF: Final = {STOPPED: Level.BAD, SILENT: Level.BAD, DEGRADED: Level.UNCERTAIN, RUNNING: Level.GOOD}


def show_service(heard: HeardStatus, now: datetime) -> ShownService:
    """One instance as a page shows it."""
    status = heard.status
    wrong = list(_wrong(heard, now))
    state = _state(heard, now) or (DEGRADED if wrong else RUNNING)
    return ShownService(
        source=status.source,
        state=state,
        level=level_word(_LEVEL_OF[state]),
        words="; ".join(what for what, _ in wrong) or GOOD,
        do=tuple(dict.fromkeys(act for _, act in wrong if act)),
        since=status.started_at.timestamp(),
        version=status.software_version,
        upstreams=tuple(_upstream(one, now, is_there=state not in {STOPPED, SILENT}) for one in status.upstreams),
        unpublished=status.outbox.unpublished if status.outbox else None,
        certificate_days=status.certificate_days_left,
    )


def _state(heard: HeardStatus, now: datetime) -> str | None:
    if not heard.status.online:
        return STOPPED
    return SILENT if now - _told_at(heard) > SILENT_AFTER else None


def _told_at(heard: HeardStatus) -> datetime:
    """When it said so: a status that the broker kept is as old as it says."""
    return min(heard.status.time, heard.arrived_at)


def _wrong(heard: HeardStatus, now: datetime) -> Iterator[tuple[str, str]]:
    """What is wrong, each with what to do about it."""
    status, state = heard.status, _state(heard, now)
    if state == STOPPED:
        yield f"{status.service} is not running", f"Start {status.source}; its log says why it ended."
        return
    if state == SILENT:
        ago = span((now - _told_at(heard)).total_seconds())
        act = f"See whether {status.source} runs and reaches the broker; restart it if it hangs."
        yield f"nothing heard of it for {ago}", act
        return
    for upstream in status.upstreams:
        yield from _wrong_upstream(status, upstream)
    yield from ((complaint, f"See the log of {status.source}.") for complaint in status.complaints)
    if status.outbox and status.outbox.unpublished > UNPUBLISHED_MOST:
        many = f"{status.outbox.unpublished} events wait for the broker"
        yield many, "See whether the broker has room on its disk, and takes the service's user (its log says)."
    days = status.certificate_days_left
    if days is not None and days < CERTIFICATE_SOON_DAYS:
        act = "Ask CAISO for a new certificate, and put it in place of this one."
        yield f"its certificate ends in {max(days, 0.0):.0f} days", act


def _wrong_upstream(status: ServiceStatus, upstream: Upstream) -> Iterator[tuple[str, str]]:
    if not upstream.ok:
        yield f"{upstream.name}: {upstream.last_error or 'not heard yet'}", _mended(status.service, upstream)
    elif upstream.clock_offset_s is not None and abs(upstream.clock_offset_s) > CLOCK_DOUBT_S:
        clocks = f"{upstream.name}: its clock differs from ours by {upstream.clock_offset_s:+.1f} s"
        yield clocks, "Set this machine's clock by NTP (chrony or systemd-timesyncd)."
    yield from ((f"{upstream.name}: {complaint}", f"See the log of {status.source}.") for complaint in upstream.complaints)


def _mended(service: str, upstream: Upstream) -> str:
    if service in ("modbus_gateway", "historian"):
        return f"See the services and the database that {service} depends on: {upstream.name}."
    return f"See whether CAISO is reached from here ({upstream.name}), and takes the certificate: `dotbus check --online` asks."


def _upstream(upstream: Upstream, now: datetime, *, is_there: bool) -> ShownUpstream:
    """Of a service that is not there what it heard last is over, however well it was."""
    is_ok = upstream.ok and is_there
    if upstream.last_ok_at is None:
        words = "never answered"
    else:
        words = "answers" if is_ok else f"answered {span((now - upstream.last_ok_at).total_seconds())} ago"
    return ShownUpstream(name=upstream.name, is_ok=is_ok, words=words)


def show_gap(gap: UpstreamGap) -> ShownGap:
    """A gap as a page shows it."""
    return ShownGap(
        source=gap.source,
        upstream=gap.upstream,
        start=gap.missing_from.timestamp(),
        end=gap.missing_until.timestamp(),
        words=gap.detail,
    )


def show_gaps(gaps: Iterable[UpstreamGap]) -> tuple[ShownGap, ...]:
    """Gaps, the newest first."""
    return tuple(show_gap(gap) for gap in reversed(tuple(gaps)))
