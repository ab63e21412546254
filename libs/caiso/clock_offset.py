"""Clock offset: how far a server's clock is from ours, by the Dates of its replies, of which none is believed alone. Pure.

Behind one address stand many machines, and the clock of one of them may be wrong for one reply, for minutes or now and then.
What is right goes on as evenly as a clock of ours that nobody sets.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

AGREE_WITHIN_S: Final = 2.0
"""Date names whole seconds, and a reply takes a part of one."""
REPLIES_LEAST: Final = 3
FOR_LEAST_S: Final = 10.0
"""How many replies in a row, over how long, have to say the same before a clock is believed that agrees with none known."""


@dataclass(frozen=True)
class _Claim:
    """What the last replies say, and the believed clock does not. Seconds by which their clock is ahead of the even one."""

    ahead_s: float
    since_s: float
    replies: int = 1


class ClockOffset:
    """Compares a server's clock with ours.

    The first reply is believed, since it is doubt that it can cause. After it one that agrees with our clock, or goes on from
    what is believed, counts at once; another only when several say the same for a while. When our own clock is set, the offset
    follows without a reply.

    Args:
        clock: our wall clock.
        monotonic_s: seconds of a clock that nobody sets.
    """

    def __init__(
        self, clock: Callable[[], datetime] = lambda: datetime.now(UTC), monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._ahead_s: float | None = None
        self._last_ahead_s: float | None = None
        self._claim: _Claim | None = None

    @property
    def seconds(self) -> float | None:
        """The server's clock minus ours; None before a reply told it."""
        return None if self._ahead_s is None else self._ahead_s - self._ours_s()

    @property
    def last_said_s(self) -> float | None:
        """The same as the last reply said it, believed or not: enough to doubt, too little to act on."""
        return None if self._last_ahead_s is None else self._last_ahead_s - self._ours_s()

    def note(self, offset_s: float) -> None:
        """A reply said that the server's clock is so far from ours, seconds."""
        said_s, now_s = self._ours_s() + offset_s, self._monotonic_s()
        self._last_ahead_s = said_s
        if self._ahead_s is None or abs(offset_s) <= AGREE_WITHIN_S or abs(said_s - self._ahead_s) <= AGREE_WITHIN_S:
            self._believe(said_s)
            return
        claim = self._claim
        if claim is None or abs(said_s - claim.ahead_s) > AGREE_WITHIN_S:
            self._claim = _Claim(said_s, now_s)
            return
        self._claim = replace(claim, replies=claim.replies + 1)
        if self._claim.replies >= REPLIES_LEAST and now_s - claim.since_s >= FOR_LEAST_S:
            self._believe(said_s)

    def _believe(self, said_s: float) -> None:
        self._ahead_s, self._claim = said_s, None

    def _ours_s(self) -> float:
        """How far our wall clock is ahead of the even one."""
        return self._clock().timestamp() - self._monotonic_s()
