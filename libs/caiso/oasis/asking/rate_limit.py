"""Rate limit: one request in five seconds, from start to start, whoever asks (OASIS's acceptable use policy)."""

import threading
import time
from collections.abc import Callable

CAISO_SPACING_S = 5.0
"""CAISO's own rule. What comes sooner is refused with HTTP status 429, whichever process of an address asks."""
SPACING_S = 6.0
"""What has been measured to run for a year of requests without one refusal."""


class RateLimit:
    """Lets one request begin at a time, for all threads that share it.

    It begins as if a request had just been made: the process before this one may have made it.

    Args:
        spacing_s: from the start of one request to the start of the next.
        monotonic_s: seconds of a clock that nobody sets.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        spacing_s: float = SPACING_S,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._spacing_s = spacing_s
        self._monotonic_s = monotonic_s
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_s = monotonic_s() + spacing_s

    def wait(self) -> None:
        """Until a request may begin, which it does then."""
        with self._lock:
            while (left_s := self._next_s - self._monotonic_s()) > 0:
                self._sleep(left_s)
            self._next_s = self._monotonic_s() + self._spacing_s

    def put_off(self, by_s: float) -> None:
        """Let none begin for so long: CAISO said that it was asked too often, or does not answer."""
        with self._lock:
            self._next_s = max(self._next_s, self._monotonic_s() + by_s)
