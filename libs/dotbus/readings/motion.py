"""Motion: a value that time alone moves, in a form that says at once what it is at any moment. Pure.

What is read at one time (see `reading`) says of such a value how it moves until something turns, so that whoever asks later
needs not have everything read anew.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from math import ceil
from typing import Final

import msgspec

from dotbus.setpoints.ramp import Ramp

AGE_MOST_S: Final = 65534
_DAY: Final = timedelta(days=1)
EndsAt = Callable[[], datetime]


class Age(msgspec.Struct, frozen=True, gc=False):
    """Whole seconds since a time, as far as a register of 16 bits can count; 0 before it."""

    since: datetime

    def at(self, now: datetime) -> float:
        """The seconds at a moment."""
        return min(max(int((now - self.since).total_seconds()), 0), AGE_MOST_S)


class Until(msgspec.Struct, frozen=True, gc=False):
    """Whole seconds until a time, rounded up, as far as a register of 16 bits can count; 0 from it on."""

    until: datetime

    def at(self, now: datetime) -> float:
        """The seconds at a moment."""
        return min(max(ceil((self.until - now).total_seconds()), 0), AGE_MOST_S)


class Count(msgspec.Struct, frozen=True, gc=False):
    """Whole seconds since 1970-01-01 UTC, counted anew after `cycle` of them where one is given."""

    cycle: int | None = None

    def at(self, now: datetime) -> float:
        """The seconds at a moment."""
        seconds = int(now.timestamp())
        return seconds if self.cycle is None else seconds % self.cycle


class DaysLeft(msgspec.Struct, frozen=True, gc=False):
    """Whole days that a certificate lasts, 0 once it is over. When that is, is asked each time: it may have been renewed."""

    ends_at: EndsAt

    def at(self, now: datetime) -> float:
        """The days at a moment."""
        return min(max((self.ends_at() - now) // _DAY, 0), AGE_MOST_S)


Motion = DaysLeft | Age | Until | Count | Ramp
