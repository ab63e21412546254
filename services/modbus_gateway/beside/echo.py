"""Echo: until when what came from the bus is not too old, by what this gateway itself says there.

Its own heartbeat goes to the broker and comes back behind all that was said before it. What came back last tells how far we
have heard all; from then on that grows older, whether we look or are stopped, with the machine or without it. So it is a time
at which it ends, not a state that somebody has to find out in time. Pure but for what it remembers.
"""

import math
from collections import deque
from datetime import datetime
from typing import Final

from dotbus.contracts.quality import HEARTBEAT_S

BEHIND_AFTER_S: Final = 5.0
STOPPED_AFTER_S: Final = 2.0
"""Nothing else keeps us from looking for so long."""
HOLDS_FOR_S: Final = HEARTBEAT_S + BEHIND_AFTER_S + 1.0
"""Less than after which another gateway takes our place, see `pair.GONE_AFTER_S`."""
_REMEMBERED: Final = 100


class Echo:
    """What was said and has not come back. Where the broker does not take what we say, only that we were stopped shows.

    Attributes:
        holds_until_s: until when what came is not too old, by the clock that cannot be set, unless `look` is called before.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[datetime, float]] = deque(maxlen=_REMEMBERED)
        self._known_s = self._resumed_s = -math.inf
        self._looked_s = math.inf  # never yet: what is not begun cannot have been stopped
        self._is_refused = False
        self.holds_until_s = -math.inf

    def said(self, time: datetime, now_s: float) -> None:
        """A status of a time is said next: take the time before."""
        if now_s >= self._resumed_s:
            self._waiting.append((time, now_s))
        self._judge()

    def refused(self) -> None:
        """The broker does not let us say it."""
        self._is_refused = True

    def heard(self, time: datetime) -> None:
        """It came back, and with it all that was said before it."""
        self._is_refused = False
        while any(time == said for said, _ in self._waiting):
            _, self._known_s = self._waiting.popleft()
        self._judge()

    def covers(self, at_s: float) -> bool:
        """Whether all came in that was at the broker at a time. Where we cannot know it is taken to."""
        return self._is_refused or self._known_s >= at_s

    def begin(self, now_s: float) -> None:
        """A connection began: the broker says on it what holds now."""
        self._waiting.clear()
        self._known_s = now_s
        self._judge()

    def end(self) -> None:
        """It ended: what was on its way is lost."""
        self._waiting.clear()
        self._known_s = -math.inf
        self._judge()

    def look(self, now_s: float) -> None:
        """Time has passed; to be called more often than in `STOPPED_AFTER_S`.

        After a stop only what is said from now on shows that all came in that waited with the system meanwhile. Where nothing
        of us can come back it is taken to come in within `BEHIND_AFTER_S`.
        """
        if now_s - self._looked_s > STOPPED_AFTER_S:
            self._waiting.clear()
            self._known_s, self._resumed_s = -math.inf, now_s
        self._looked_s = now_s
        self._judge()

    def _judge(self) -> None:
        if self._is_refused:
            is_in_doubt = self._looked_s < self._resumed_s + BEHIND_AFTER_S
            until_s = -math.inf if is_in_doubt else math.inf
        else:
            late_s = self._waiting[0][1] + BEHIND_AFTER_S if self._waiting else math.inf
            until_s = min(late_s, self._known_s + HOLDS_FOR_S)
        self.holds_until_s = min(until_s, self._looked_s + STOPPED_AFTER_S)
