"""Sources: what is known of each instance of an ingest from the status that it says of itself. Pure.

Its clock is compared with ours by its heartbeats. A heartbeat may come late, never early: of the last few the largest
difference is the nearest to the truth. Until one has shown that the clocks agree, nobody can say which interval is in force
for whom, and nothing that depends on the clock is good.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

from dotbus.contracts.messages import ServiceStatus, Upstream
from dotbus.contracts.quality import CLOCK_DOUBT_S

HEARTBEATS_COMPARED: Final = 3
AGREEMENT_LASTS: Final = timedelta(minutes=5)
"""How long a heartbeat shows anything of a clock: one that was set since, nobody told us of."""
TWO_AT_ONCE_LASTS: Final = timedelta(minutes=1)
"""How long two processes of one name count after the one that started first was heard beside the other."""
_TOLERANCE: Final = timedelta(seconds=CLOCK_DOUBT_S)


@dataclass(frozen=True)
class SourceStatus:
    """A status and how it came here: when, by our clock; whether as it was said or from the broker's memory."""

    status: ServiceStatus
    arrived_at: datetime
    is_live: bool
    connection: int

    @property
    def said_at(self) -> datetime:
        """When it was said. A last will is made long before: it is said when it comes."""
        if self.is_will:
            return self.arrived_at
        return min(self.status.time, self.arrived_at + _TOLERANCE)

    @property
    def offset_s(self) -> float | None:
        """The source's clock minus ours, too small by the time that the message took; None when nothing can be told from it."""
        if not self.is_live or self.is_will:
            return None
        return (self.status.time - self.arrived_at).total_seconds()

    @property
    def is_heartbeat(self) -> bool:
        """Whether the source itself says at this moment that it is there."""
        return self.is_live and self.status.online

    @property
    def is_will(self) -> bool:
        """Whether the broker says it in place of a source that is gone."""
        return not self.status.online and self.status.time == self.status.started_at

    def replaces(self, earlier: Self) -> bool:
        """Whether it is news beside a status that came before it."""
        began_at, began_before_at = self.status.started_at, earlier.status.started_at
        if self.is_will:
            return began_at >= began_before_at  # that of an earlier run comes when its connection is given up
        if earlier.is_will and self.is_live and self.status.online:
            return began_at > began_before_at or self.status.time >= earlier.arrived_at - _TOLERANCE
        return self.said_at >= earlier.said_at


@dataclass(frozen=True)
class Runs:
    """Whether one process speaks by a name, or two, whose states take turns on one topic.

    Attributes:
        started_at: when the run started that started last, by its heartbeats.
        heard_at: when it was heard last, by our clock.
        two_until: until when two count as speaking; None when they never did.
    """

    started_at: datetime | None = None
    heard_at: datetime | None = None
    two_until: datetime | None = None

    def after(self, heard: SourceStatus) -> Self:
        """After a heartbeat. One that a run said before the next one started may come late, and shows nothing."""
        began_at = heard.status.started_at
        # A later run that is not heard any more is gone, or had a clock that was ahead.
        is_gone = self.heard_at is None or heard.arrived_at - self.heard_at > TWO_AT_ONCE_LASTS
        if self.started_at is None or is_gone or began_at >= self.started_at:
            return replace(self, started_at=began_at, heard_at=heard.arrived_at)
        if heard.status.time <= self.started_at + _TOLERANCE:
            return self
        return replace(self, two_until=heard.arrived_at + TWO_AT_ONCE_LASTS)

    def are_two(self, now: datetime) -> bool:
        """Whether two processes speak by this name."""
        return self.two_until is not None and now <= self.two_until

    def with_clock_set(self, by: timedelta) -> Self:
        """The same after our clock was set forward by so much."""
        return replace(
            self,
            heard_at=self.heard_at + by if self.heard_at else None,
            two_until=self.two_until + by if self.two_until else None,
        )


@dataclass(frozen=True)
class Source:
    """What is known of one instance of an ingest.

    Attributes:
        latest: the status said last, None before any.
        upstreams: how it heard CAISO, by the last status that said so; a last will does not.
        clock_offsets_s: its clock minus ours by its latest heartbeats, since our clock was last set.
        compared_at: when the last of these came.
        connection: the connection to the broker on which its status was heard last.
        runs: whether two processes speak by its name.
    """

    latest: SourceStatus | None = None
    upstreams: tuple[Upstream, ...] = ()
    clock_offsets_s: tuple[float, ...] = ()
    compared_at: datetime | None = None
    connection: int = 0
    runs: Runs = Runs()

    @property
    def online(self) -> bool:
        """What its status, or its last will, says."""
        return self.latest is not None and self.latest.status.online

    @property
    def told_at(self) -> datetime | None:
        """When it last said of itself that it is there, never later than that came here."""
        return min(self.latest.status.time, self.latest.arrived_at) if self.latest and self.online else None

    @property
    def clock_agrees_until(self) -> datetime | None:
        """Until when its heartbeats so far show that its clock is ours; None when they do not."""
        if self.compared_at is None or abs(max(self.clock_offsets_s)) > CLOCK_DOUBT_S:
            return None
        return self.compared_at + AGREEMENT_LASTS

    def told(self, heard: SourceStatus) -> Self:
        """The source after a status. One that was said before the latest changes nothing but what it shows of the clock."""
        offsets_s = self.clock_offsets_s if heard.offset_s is None else (*self.clock_offsets_s, heard.offset_s)
        compared_at = self.compared_at if heard.offset_s is None else heard.arrived_at
        offsets_s = offsets_s[-HEARTBEATS_COMPARED:]
        runs = self.runs.after(heard) if heard.is_heartbeat else self.runs
        known = replace(self, clock_offsets_s=offsets_s, compared_at=compared_at, connection=heard.connection, runs=runs)
        if self.latest and not heard.replaces(self.latest):
            return known
        upstreams = heard.status.upstreams if heard.status.online else self.upstreams
        return replace(known, latest=heard, upstreams=upstreams)

    def with_clock_set(self, by: timedelta) -> Self:
        """The source after our clock was set forward by so much: no clocks were compared; its next status is newer."""
        # Less the tolerance: a status may have been ahead of its arrival by that much, and so would be of those to come.
        latest = replace(self.latest, arrived_at=self.latest.arrived_at + by - _TOLERANCE) if self.latest else None
        return replace(self, latest=latest, clock_offsets_s=(), compared_at=None, runs=self.runs.with_clock_set(by))

    def behind(self, upstream: str | None) -> list[Upstream]:
        """The upstream of one name; all of them when none is asked for."""
        return [known for known in self.upstreams if upstream in {None, known.name}]

    def fails_at(self, upstream: str) -> bool:
        """Whether it does not hear CAISO on it. One that is there and says nothing of it does not vouch for it either.

        One with several accounts names them besides; what one of them alone was told is doubted by the states themselves.
        """
        behind = self.behind(upstream)
        return not all(known.ok for known in behind) or (self.online and not behind)

    def heard_caiso_at(self, upstream: str | None) -> datetime | None:
        """When CAISO was last heard on it, the earliest of all where several count; None when one never was.

        As long before its status came as the source says, so that a clock that is ahead makes nothing young.
        """
        heard = [self._bounded(known.last_ok_at) for known in self.behind(upstream)]
        return min((at for at in heard if at), default=None) if None not in heard else None

    def _bounded(self, at: datetime | None) -> datetime | None:
        if at is None or self.latest is None:
            return at
        status, arrived_at = self.latest.status, self.latest.arrived_at
        return min(at, arrived_at, arrived_at - (status.time - at))
