"""Summary: what one operator has before him, and whether it is more than anybody can act on. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Self

from dotbus.contracts.alarms import FLOOD_ABOVE, FLOOD_MINUTES, FLOOD_OVER_BELOW, AlarmPriority, AlarmState
from dotbus.contracts.messages import AlarmCount, AlarmStatus, AlarmSummary
from dotbus.runtime.presence import Identity

VALID_FOR: Final = timedelta(seconds=60)
_WITHIN: Final = timedelta(minutes=FLOOD_MINUTES)
_UNSEEN: Final = frozenset({AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED})
_ACTIVE: Final = frozenset({AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED})


@dataclass(frozen=True)
class Flood:
    """How many alarms came of late.

    Attributes:
        raised_at: when each of them did.
        is_flood: whether they are too many; that ends only once they are far fewer.
    """

    raised_at: tuple[datetime, ...] = ()
    is_flood: bool = False

    def after(self, raised_at: Iterable[datetime], now: datetime) -> Self:
        """With those that came since."""
        recent = tuple(at for at in (*self.raised_at, *raised_at) if now - at < _WITHIN)
        is_flood = len(recent) >= FLOOD_OVER_BELOW if self.is_flood else len(recent) > FLOOD_ABOVE
        return replace(self, raised_at=recent, is_flood=is_flood)

    def with_clock_set(self, by: timedelta) -> Self:
        """The same after our clock was set forward by so much: they came as long ago as before."""
        return replace(self, raised_at=tuple(at + by for at in self.raised_at))


@dataclass(frozen=True)
class Tally:
    """What some alarms come to.

    Attributes:
        unacknowledged: how many of each priority.
        active: the same.
        shelved: how many are.
        suppressed: how many are.
        newest: of the one that was raised last and is still unacknowledged or active, when that was, and its code.
    """

    unacknowledged: Mapping[AlarmPriority, int] = field(default_factory=dict)
    active: Mapping[AlarmPriority, int] = field(default_factory=dict)
    shelved: int = 0
    suppressed: int = 0
    newest: tuple[datetime, int] | None = None

    def together(self, other: "Tally") -> "Tally":
        """Both."""
        newest = [one for one in (self.newest, other.newest) if one]
        return Tally(
            {one: self.unacknowledged.get(one, 0) + other.unacknowledged.get(one, 0) for one in AlarmPriority},
            {one: self.active.get(one, 0) + other.active.get(one, 0) for one in AlarmPriority},
            self.shelved + other.shelved,
            self.suppressed + other.suppressed,
            max(newest, default=None),
        )


def tally(statuses: Iterable[AlarmStatus]) -> Tally:
    """What some alarms come to."""
    unacknowledged, active = dict.fromkeys(AlarmPriority, 0), dict.fromkeys(AlarmPriority, 0)
    shelved = suppressed = 0
    newest: tuple[datetime, int] | None = None
    for one in statuses:
        unacknowledged[one.priority] += one.state in _UNSEEN
        active[one.priority] += one.state in _ACTIVE
        shelved += one.state is AlarmState.SHELVED
        suppressed += one.state is AlarmState.SUPPRESSED
        if one.state in _UNSEEN | _ACTIVE:
            raised = one.raised_at or one.changed_at, one.code
            newest = max(newest or raised, raised)
    return Tally(unacknowledged, active, shelved, suppressed, newest)


def tallies(statuses: Iterable[AlarmStatus]) -> Mapping[str, Tally]:
    """The same of each plant that has any, and of `INSTALLATION`."""
    by_plant: defaultdict[str, list[AlarmStatus]] = defaultdict(list)
    for one in statuses:
        by_plant[one.plant].append(one)
    return {plant: tally(its) for plant, its in by_plant.items()}


def summarise(plant: str, found: Tally, flood: Flood, identity: Identity, now: datetime) -> AlarmSummary:
    """What the alarms of a plant's operator come to."""
    return AlarmSummary(
        environment=identity.environment,
        source=identity.source,
        time=now,
        plant=plant,
        counts=tuple(
            AlarmCount(priority=one, unacknowledged=found.unacknowledged.get(one, 0), active=found.active.get(one, 0))
            for one in AlarmPriority
        ),
        shelved=found.shelved,
        suppressed=found.suppressed,
        newest_code=found.newest[1] if found.newest else None,
        newest_raised_at=found.newest[0] if found.newest else None,
        raised_in_10_min=len(flood.raised_at),
        is_flood=flood.is_flood,
        valid_until=now + VALID_FOR,
    )
