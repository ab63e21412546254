"""Health: whether all that an installation's services say of themselves is well, and in a line each what is not. Pure.

It is what `dotbus status` shows and ends with. A service is believed about itself; that one is missing is seen by others that
depend on it, or by the file, where `[alarms.service_down]` names it.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from dotbus.contracts.messages import ServiceStatus, Upstream
from dotbus.contracts.messages.envelope import Utc
from dotbus.contracts.quality import CLOCK_DOUBT_S
from dotbus.judging.hearing import SILENT_AFTER

CERTIFICATE_SOON_DAYS: Final = 30.0
UNPUBLISHED_MOST: Final = 100
"""Events that wait for the broker at any time while it is there are a few."""


class ServiceHealth(StrEnum):
    """How a service instance is.

    online: it is well. degraded: it is there, and something is wrong. silent: it has said nothing for longer than three
    heartbeats. offline: it said that it ended, or the broker did.
    """

    ONLINE = "online"
    DEGRADED = "degraded"
    SILENT = "silent"
    OFFLINE = "offline"


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not well.

    Attributes:
        about: the service instance, SERVICE/INSTANCE; null where it is the installation as a whole.
        upstream: what of its upstreams, by its name in the service's status; null where it is the instance itself.
        reason: what is wrong, in words for a person.
    """

    about: str | None = None
    upstream: str | None = None
    reason: str

    def __str__(self) -> str:
        place = " ".join(part for part in (self.about, self.upstream) if part)
        return f"{place}: {self.reason}" if place else self.reason


class BrokerReport(msgspec.Struct, frozen=True, kw_only=True):
    """The connection by which all of it was heard.

    Attributes:
        host: where the broker is.
        port: where the broker is.
        connected: whether it lets us in.
        complaint: why not, or which topics it does not let us hear, in words for a person; null while there is nothing of it.
    """

    host: str
    port: int
    connected: bool
    complaint: str | None = None


class ServiceReport(msgspec.Struct, frozen=True, kw_only=True):
    """One service instance.

    Attributes:
        health: how it is.
        status: its last word of itself, as it stands on the bus.
    """

    health: ServiceHealth
    status: ServiceStatus


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `dotbus status --json` prints.

    Attributes:
        version: of this shape; within one version it only grows.
        time: when it was judged.
        well: whether nothing at all is complained of. Then `dotbus status` ends with 0, else with 1.
        broker: the connection to the broker.
        complaints: everything that is not well, the broker first.
        services: every instance that is known, by service and instance; none without the broker.
    """

    version: int = 1
    time: Utc
    well: bool
    broker: BrokerReport
    complaints: tuple[Complaint, ...]
    services: tuple[ServiceReport, ...]


def judge(
    broker: BrokerReport, statuses: Sequence[ServiceStatus], expected: Iterable[str], root: str, now: datetime
) -> StatusReport:
    """What all of it comes to.

    Args:
        broker: the connection.
        statuses: the last word of each instance.
        expected: SERVICE/INSTANCE of those that must be there though nobody has heard of them.
        root: the topic that all of it was looked for under.
        now: the time.
    """
    complaints = [Complaint(reason=broker.complaint)] if broker.complaint else []
    services: tuple[ServiceReport, ...] = ()
    if broker.connected:
        complaints += [*_missing(statuses, expected, root), *(one for status in statuses for one in complaints_of(status, now))]
        services = tuple(ServiceReport(health=health_of(status, now), status=status) for status in statuses)
    return StatusReport(time=now, well=not complaints, broker=broker, complaints=tuple(complaints), services=services)


def health_of(status: ServiceStatus, now: datetime) -> ServiceHealth:
    """How an instance is, by its last word."""
    if not status.online:
        return ServiceHealth.OFFLINE
    if now - status.time > SILENT_AFTER:
        return ServiceHealth.SILENT
    return ServiceHealth.DEGRADED if any(complaints_of(status, now)) else ServiceHealth.ONLINE


def complaints_of(status: ServiceStatus, now: datetime) -> Iterator[Complaint]:
    """What is not well with an instance. Of one that is not there no more than that: the rest is how it once was."""
    if not status.online:
        yield Complaint(about=status.source, reason=f"is offline since {status.time:%Y-%m-%d %H:%M:%S}Z or later: start it")
    elif now - status.time > SILENT_AFTER:
        since = f"has said nothing since {status.time:%Y-%m-%d %H:%M:%S}Z"
        yield Complaint(about=status.source, reason=f"{since}: see whether it runs, and whether its clock and ours agree")
    else:
        yield from (Complaint(about=status.source, reason=reason) for reason in _wrong_with_itself(status))
        for upstream in status.upstreams:
            reasons = _wrong_with(upstream)
            yield from (Complaint(about=status.source, upstream=upstream.name, reason=reason) for reason in reasons)


def _wrong_with_itself(status: ServiceStatus) -> Iterator[str]:
    yield from status.complaints
    if status.outbox and status.outbox.unpublished > UNPUBLISHED_MOST:
        yield f"{status.outbox.unpublished} events wait for the broker"
    days = status.certificate_days_left
    if days is not None and days < CERTIFICATE_SOON_DAYS:
        yield f"its certificate ends in {days:.0f} days: ask for a new one" if days > 0 else "its certificate has ended"


def _wrong_with(upstream: Upstream) -> Iterator[str]:
    if not upstream.ok:
        often = f" ({upstream.failures_in_a_row} times)" if upstream.failures_in_a_row > 1 else ""
        yield f"{upstream.last_error or 'not heard yet'}{often}"
    elif upstream.clock_offset_s is not None and abs(upstream.clock_offset_s) > CLOCK_DOUBT_S:
        yield f"its clock differs from ours by {upstream.clock_offset_s:+.1f} s: set this machine's"
    yield from upstream.complaints


def _missing(statuses: Sequence[ServiceStatus], expected: Iterable[str], root: str) -> Iterator[Complaint]:
    if not statuses:
        yield Complaint(reason=f"No service is heard under {root}: is that the topic_root of the services that run here?")
    for source in sorted(set(expected) - {status.source for status in statuses}):
        yield Complaint(about=source, reason="nothing was heard of it, and [alarms.service_down] expects it")
