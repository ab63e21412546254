"""Source states: how each instance of an ingest is, for the gateway's own registers. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from dotbus.contracts.quality import Level
from dotbus.judging.hearing import SILENT_AFTER
from dotbus.judging.received import Received
from dotbus.judging.sources import Source
from dotbus.judging.vouching import JUST_AFTER, clocks_agree, hears


class SourceState(NamedTuple):
    """How one instance is.

    Attributes:
        online: it says so, and said it of late.
        hears: CAISO answers it on all that it asks for.
        clock_agrees: its clock, CAISO's and ours agree.
        certificate_days_left: whole days that its certificate towards CAISO lasts, never below 0; None when it has none, or
            does not say.
    """

    online: bool
    hears: bool
    clock_agrees: bool
    certificate_days_left: int | None

    @property
    def level(self) -> Level:
        """Good while it hears CAISO, bad while it is not there."""
        if not self.online:
            return Level.BAD
        return Level.GOOD if self.hears else Level.UNCERTAIN


def source_state(source: Source, stale_after_s: float, now: datetime) -> SourceState:
    """How an instance is now; `stale_after_s` is how long an answer of CAISO's counts."""
    told_at = source.told_at
    online = told_at is not None and now - told_at <= SILENT_AFTER
    days = source.latest.status.certificate_days_left if source.latest else None
    return SourceState(
        online,
        online and hears(source, stale_after_s, now, None),
        clocks_agree(source, now),
        None if days is None else max(int(days), 0),
    )


def states_of(received: Received, service: str, stale_after_s: float, now: datetime) -> list[SourceState]:
    """Every instance of an ingest that is known; none while nobody can say, without the broker."""
    if not received.hears:
        return []
    return [source_state(source, stale_after_s, now) for source in received.sources_of(service)]


def turns_of_state(source: Source) -> Iterator[datetime]:
    """When an instance that says nothing more counts as silent; the rest is in `vouching`."""
    if source.told_at:
        yield source.told_at + SILENT_AFTER + JUST_AFTER
