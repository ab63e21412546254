"""Clock steps: whether the wall clock was set, seen on the clock that cannot be. Pure."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

STEP_S: Final = 0.5
"""A clock that is only slewed gains or loses far less between two looks. What small steps add up to, heartbeats show."""
_NO_STEP: Final = timedelta(0)


class Moment(msgspec.Struct, frozen=True, gc=False):
    """One moment on two clocks: the wall clock, and seconds that never go back."""

    wall: datetime
    monotonic_s: float

    def follows(self, earlier: "Moment") -> bool:
        """Whether the wall clock went on from an earlier moment, and was not set meanwhile."""
        wall_s = (self.wall - earlier.wall).total_seconds()
        return wall_s >= 0 and abs(wall_s - self.monotonic_s + earlier.monotonic_s) <= STEP_S

    def step_since(self, earlier: "Moment") -> timedelta:
        """By how much the wall clock was set forward between an earlier moment and this one; zero when it was not set."""
        step_s = (self.wall - earlier.wall).total_seconds() - (self.monotonic_s - earlier.monotonic_s)
        return timedelta(seconds=step_s) if abs(step_s) > STEP_S else _NO_STEP

    def when(self, wall: datetime) -> "Moment":
        """The moment at which the wall clock showed something else, if it was not set meanwhile."""
        return Moment(wall, self.monotonic_s + (wall - self.wall).total_seconds())
