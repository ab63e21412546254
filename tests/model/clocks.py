"""Clocks: the true time, and clocks that may be wrong by some seconds."""

from datetime import datetime, timedelta

from gateway_story import NOON
from model.forking import LIVE


class TrueTime:
    """CAISO's clock: seconds after noon."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s


class PartClock:
    """The wall clock of one part, so many seconds ahead of the true time."""

    def __init__(self, true: TrueTime, ahead_s: float = 0.0) -> None:
        self.true = true
        self.ahead_s = ahead_s

    def __call__(self) -> datetime:
        return NOON + timedelta(seconds=self.true.now_s + self.ahead_s)


class Monotonic:
    """Seconds that never go back."""

    def __init__(self, true: TrueTime) -> None:
        self.true = true

    def __call__(self) -> float:
        return self.true.now_s


LIVE |= {TrueTime, PartClock, Monotonic}
