"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
SOON_S, AT_LEAST_EVERY_S = 0.02, 0.25


def eventually(probe: Callable[[], T], within_s: float = 30.0, every_s: float | None = None) -> T:
    """The first true value of `probe`.

    Args:
        probe: what is asked again and again.
        within_s: for how long.
        every_s: the pause between; unless given it is a tenth of the time waited so far, since what takes long is not seen
            sooner by asking often: a probe that connects to a database takes the time that it waits for.

    Raises:
        AssertionError: there was none in time; it shows the last value.
    """
    begun = time.monotonic()
    while True:
        value = probe()
        if value:
            return value
        waited_s = time.monotonic() - begun
        if waited_s > within_s:
            raise AssertionError(f"still {value!r} after {within_s} s")
        time.sleep(every_s if every_s is not None else min(max(SOON_S, waited_s / 10), AT_LEAST_EVERY_S))
