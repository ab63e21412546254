"""Echo: whether what comes from the bus comes in time, by what this gateway itself says there.

Its own heartbeat goes to the broker and comes back behind all that was said before it. While it does not, what this gateway
shows may be older than what another one shows, though its connection seems to stand. Pure but for what it remembers.
"""

from collections import deque
from datetime import datetime
from typing import Final

BEHIND_AFTER_S: Final = 5.0
_REMEMBERED: Final = 100


class Echo:
    """What was said and has not come back. Where the broker does not take what we say, nothing is known."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[datetime, float]] = deque(maxlen=_REMEMBERED)
        self._is_refused = False

    def said(self, time: datetime, now_s: float) -> None:
        """A status of a time is being said."""
        self._waiting.append((time, now_s))

    def refused(self) -> None:
        """The broker does not let us say it."""
        self._is_refused = True

    def heard(self, time: datetime) -> None:
        """It came back, and with it all that was said before it."""
        self._is_refused = False
        if any(time == said for said, _ in self._waiting):
            while self._waiting.popleft()[0] != time:
                pass

    def begin(self) -> None:
        """Another connection began, or one ended: what was on its way is lost."""
        self._waiting.clear()

    def is_behind(self, now_s: float) -> bool:
        """Whether what is said now takes too long to come back."""
        return not self._is_refused and bool(self._waiting) and now_s - self._waiting[0][1] > BEHIND_AFTER_S
