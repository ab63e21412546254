"""Conditions: when something that comes and goes counts. Pure.

What nobody knows (None) neither raises an alarm nor ends it, and begins every delay anew.
"""

from dataclasses import dataclass, replace
from typing import Self


def is_beyond(value: float, threshold: float, deadband: float, *, was_beyond: bool) -> bool:
    """Whether a value is above a threshold; one that was must come back by the deadband, so that it does not flutter."""
    return value > (threshold - deadband if was_beyond else threshold)


@dataclass(frozen=True)
class Delayed:
    """Something that holds or not, after its delays.

    Attributes:
        is_active: whether it counts as holding.
        turning_since_s: since when it is the other way round without a break; None while it is not.
    """

    is_active: bool = False
    turning_since_s: float | None = None

    def after(self, now_s: float, *, holds: bool | None, on_delay_s: float, off_delay_s: float) -> Self:
        """After a look.

        Args:
            now_s: seconds that never go back.
            holds: whether it holds now; None where nobody knows.
            on_delay_s: for how long it must hold to count.
            off_delay_s: for how long it must be over to count no more.
        """
        if holds is None or holds is self.is_active:
            return self if self.turning_since_s is None else replace(self, turning_since_s=None)
        since_s = now_s if self.turning_since_s is None else self.turning_since_s
        if now_s - since_s >= (on_delay_s if holds else off_delay_s):
            return replace(self, is_active=holds, turning_since_s=None)
        return replace(self, turning_since_s=since_s)
