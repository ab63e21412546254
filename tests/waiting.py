"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T], within_s: float = 15.0, every_s: float = 0.02) -> T:
    """The first true value of `probe`.

    Raises:
        AssertionError: there was none in time; it shows the last value.
    """
    deadline = time.monotonic() + within_s
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {within_s} s")
        time.sleep(every_s)
