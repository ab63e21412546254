"""Clock steps: whether the wall clock was set, seen on the clock that cannot be. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

STEP_S: Final = 0.5
"""A clock that is only slewed gains or loses far less between two looks. What small steps add up to, heartbeats show."""


@dataclass(frozen=True)
class Moment:
    """One moment on two clocks: the wall clock, and seconds that never go back."""

    wall: datetime
    monotonic_s: float

    def is_after_step(self, earlier: "Moment") -> bool:
        """Whether the wall clock was set between an earlier moment and this one."""
        by_wall_s = (self.wall - earlier.wall).total_seconds()
        return abs(by_wall_s - (self.monotonic_s - earlier.monotonic_s)) > STEP_S
