"""Summary: what one operator has before him, and whether it is more than anybody can act on. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

from dotbus.contracts.alarms import (
    FLOOD_ABOVE,
    FLOOD_MINUTES,
    FLOOD_OVER_BELOW,
    INSTALLATION,
    AlarmPriority,
    AlarmState,
)
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


def is_before(plant: str, status: AlarmStatus) -> bool:
    """Whether a plant's operator has an alarm before him: those of no plant all have."""
    return status.plant in {plant, INSTALLATION}


def summarise(plant: str, statuses: Sequence[AlarmStatus], flood: Flood, identity: Identity, now: datetime) -> AlarmSummary:
    """What the alarms of a plant's operator come to."""
    open_ = [one for one in statuses if one.state in _UNSEEN | _ACTIVE]
    newest = max(open_, key=lambda one: (one.raised_at or one.changed_at, one.code), default=None)
    return AlarmSummary(
        environment=identity.environment,
        source=identity.source,
        time=now,
        plant=plant,
        counts=tuple(_count(priority, open_) for priority in AlarmPriority),
        shelved=sum(one.state is AlarmState.SHELVED for one in statuses),
        suppressed=sum(one.state is AlarmState.SUPPRESSED for one in statuses),
        newest_code=newest.code if newest else None,
        newest_raised_at=newest.raised_at if newest else None,
        raised_in_10_min=len(flood.raised_at),
        is_flood=flood.is_flood,
        valid_until=now + VALID_FOR,
    )


def _count(priority: AlarmPriority, statuses: Iterable[AlarmStatus]) -> AlarmCount:
    of_priority = [one for one in statuses if one.priority is priority]
    return AlarmCount(
        priority=priority,
        unacknowledged=sum(one.state in _UNSEEN for one in of_priority),
        active=sum(one.state in _ACTIVE for one in of_priority),
    )
