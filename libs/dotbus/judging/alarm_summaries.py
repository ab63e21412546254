"""Alarm summaries: what the service of alarms says in all of one operator's alarms, and whether it may be believed now. Pure.

A summary says itself until when its service vouches for it. It counts so long by our clock and no longer, and never longer
after it came here than the service meant: what a broker kept may be old, and a clock that is ahead makes nothing young.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from dotbus.contracts.messages import AlarmSummary, Environment
from dotbus.contracts.quality import CLOCK_DOUBT_S, Quality, Reason
from dotbus.judging.sources import Source

SOURCES_PER_PLANT: Final = 8
TOPICS_MOST: Final = 4096
"""How much is remembered, so that nobody can fill our memory."""
_TOLERANCE: Final = timedelta(seconds=CLOCK_DOUBT_S)


@dataclass(frozen=True)
class SaidSummary:
    """A summary as it came.

    Attributes:
        said: what was said.
        arrived_at: when it came first, by our clock.
        connection: the one to the broker on which it was heard last.
    """

    said: AlarmSummary
    arrived_at: datetime
    connection: int

    @property
    def said_at(self) -> datetime:
        """When it was said, and no later than that came here."""
        return min(self.said.time, self.arrived_at + _TOLERANCE)

    @property
    def counts_until(self) -> datetime:
        """Until when it counts: what its service vouches for, and no longer from its arrival."""
        return min(self.said.valid_until, self.arrived_at + (self.said.valid_until - self.said.time))


class AlarmSummaries:
    """What each source last said of each operator's alarms, by the topic."""

    def __init__(self) -> None:
        self._said: dict[str, dict[str, SaidSummary]] = {}

    def take(self, topic: str, summary: AlarmSummary, at: datetime, connection: int) -> None:
        """A summary came. One that says less than is known is passed over; one that came again is no younger for it."""
        if topic not in self._said and len(self._said) >= TOPICS_MOST:
            return
        known = self._said.setdefault(topic, {})
        before = known.get(summary.source)
        came = SaidSummary(summary, before.arrived_at if before and before.said == summary else at, connection)
        if before is None or came.said_at >= before.said_at:
            known[summary.source] = came
        if len(known) > SOURCES_PER_PLANT:
            del known[min(known, key=lambda source: known[source].said_at)]

    def of(self, topic: str) -> list[SaidSummary]:
        """What is known, what was said last at the end."""
        return sorted(self._said.get(topic, {}).values(), key=lambda one: (one.said_at, one.said.source))

    def forget(self, topic: str) -> None:
        """It was taken back, or nobody listens to it any more."""
        self._said.pop(topic, None)

    def accept(self, environments: Collection[Environment]) -> list[str]:
        """Nothing counts any more but what is said of some environments. Returns the topics of which nothing is left."""
        kept = {
            topic: {source: one for source, one in known.items() if one.said.environment in environments}
            for topic, known in self._said.items()
        }
        self._said = {topic: known for topic, known in kept.items() if known}
        return [topic for topic, known in kept.items() if not known]

    def clock_stepped(self, by: timedelta) -> None:
        """Our clock was set forward by so much: when things came is told by the new one."""
        self._said = {
            topic: {source: replace(one, arrived_at=one.arrived_at + by) for source, one in known.items()}
            for topic, known in self._said.items()
        }


def quality_of(
    said: SaidSummary, others: Collection[SaidSummary], source: Source | None, connection: int, now: datetime
) -> Quality:
    """How far a summary may be believed, but for what speaks against its topic as a whole.

    Args:
        said: what was said last.
        others: what other sources said before: two services of alarms each know of an alarm what the other does not.
        source: the service, as its status tells; None while that has not come.
        connection: the one to the broker that stands now.
        now: our clock.
    """
    return Quality.of(_against(said, others, source, connection, now))


def _against(
    said: SaidSummary, others: Collection[SaidSummary], source: Source | None, connection: int, now: datetime
) -> Iterator[Reason]:
    if now > said.counts_until:
        yield Reason.STALE
    if said.connection != connection:
        yield Reason.BROKER_LOST
    if said.said.time - said.arrived_at > _TOLERANCE or source is None or not _agrees(source, now):
        yield Reason.CLOCK_IN_DOUBT
    if source is not None and not source.online:
        yield Reason.SOURCE_OFFLINE
    if source is not None and source.runs.are_two(now):
        yield Reason.SOURCE_FAILING
    if any(now <= one.counts_until for one in others):
        yield Reason.INCOMPLETE


def _agrees(source: Source, now: datetime) -> bool:
    return source.clock_agrees_until is not None and now <= source.clock_agrees_until


def turns_of_summaries(known: Collection[SaidSummary], source: Source | None) -> Iterator[datetime]:
    """Until when what is judged of summaries stays so, though nobody says anything, be it past or to come."""
    yield from (one.counts_until for one in known)
    if source is not None:
        yield from (at for at in (source.clock_agrees_until, source.runs.two_until) if at)
