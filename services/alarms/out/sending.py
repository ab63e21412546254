"""Sending: what can become of it, and of which events a receiver is told. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from dotbus.contracts.alarms import AlarmState
from dotbus.contracts.messages import AlarmChanged
from dotbus.runtime.installation.alarm_receivers import AlarmReceiver, Told

TOLD_FOR: Final = timedelta(hours=24)
"""What happened before that is told no more: by then somebody has looked, or it is no news to act on."""


class Away(Exception):
    """It was not taken, and may be later: nobody listens, it takes too long, or who we are must be put right first."""


class WillNeverBeTaken(Exception):
    """It was refused for what it is: the same again would be refused again."""


class Sender(Protocol):
    """One way out, to one receiver."""

    @property
    def takes_most(self) -> int:
        """How many events it takes at once."""

    def wait_s(self, events: Sequence[AlarmChanged], now_s: float) -> float:
        """For how long these events are kept back yet; 0 where they go now."""

    def send(self, events: Sequence[AlarmChanged], now: datetime) -> None:
        """Have them taken.

        Raises:
            Away: they may be taken later.
            WillNeverBeTaken: they never will.
        """

    def sent(self, events: Sequence[AlarmChanged], now_s: float) -> None:
        """They are gone, told or refused."""


def is_told(event: AlarmChanged, receiver: AlarmReceiver) -> bool:
    """Whether a receiver is told of something that happened."""
    if event.priority not in receiver.priorities:
        return False
    if receiver.plants is not None and event.plant not in receiver.plants:
        return False
    return _what(event) in receiver.tell


def is_too_old(event: AlarmChanged, now: datetime) -> bool:
    """Whether it is no news any more."""
    return now - event.changed_at > TOLD_FOR


def _what(event: AlarmChanged) -> Told | None:
    """What it is to a receiver. An alarm that leaves the shelf or suppression and holds still is as new, and so is raised."""
    if event.state is AlarmState.UNACKNOWLEDGED:
        return Told.RAISED
    return next((one for one in Told if one == event.what), None)
