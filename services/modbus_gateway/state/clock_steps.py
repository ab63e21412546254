"""Clock steps: whether the wall clock was set, seen on the clock that cannot be. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

STEP_S: Final = 0.5
"""A clock that is only slewed gains or loses far less between two looks. What small steps add up to, heartbeats show."""


@dataclass(frozen=True)
class Moment:
    """One moment on two clocks: the wall clock, and seconds that never go back."""

    wall: datetime
    monotonic_s: float

    def step_since(self, earlier: "Moment") -> timedelta:
        """By how much the wall clock was set forward between an earlier moment and this one; zero when it was not set."""
        step = self.wall - earlier.wall - timedelta(seconds=self.monotonic_s - earlier.monotonic_s)
        return step if abs(step.total_seconds()) > STEP_S else timedelta(0)

    def is_after_step(self, earlier: "Moment") -> bool:
        """Whether the wall clock was set between an earlier moment and this one."""
        return self.step_since(earlier) != timedelta(0)
