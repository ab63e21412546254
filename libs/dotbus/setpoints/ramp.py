"""Ramp: megawatts on a straight line between two times. Pure."""

from datetime import datetime

import msgspec


class Ramp(msgspec.Struct, frozen=True, gc=False):
    """Megawatts on a straight line between two times."""

    begin_at: datetime
    begin_mw: float
    end_at: datetime
    end_mw: float

    def at(self, now: datetime) -> float:
        """The megawatts at a moment between the two."""
        share = (now - self.begin_at) / (self.end_at - self.begin_at)
        value_mw = self.begin_mw * (1 - share) + self.end_mw * share
        lowest_mw, highest_mw = min(self.begin_mw, self.end_mw), max(self.begin_mw, self.end_mw)
        return min(max(value_mw, lowest_mw), highest_mw)  # rounding must not leave the segment
