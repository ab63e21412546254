"""Telemetry: when a publisher says a point again, and what a reader may believe of it. Pure.

A plant's points change up to once a second. What is said is kept by the historian, so the publisher decides how much that is:
each change and not more than one a second, and each minute what did not change.
"""

from datetime import datetime, timedelta

from dotbus.contracts.messages import Telemetry
from dotbus.contracts.quality import CLOCK_DOUBT_S, LEVEL_OF, Level, Quality, Reason, read_reasons

SAY_EVERY_S = 60.0
"""What does not change is said again so often, so that history has no hole that could be an outage."""
SAY_AT_MOST_EVERY_S = 1.0
"""A value that changes faster is said as it is then."""
VALID_FOR_S = 90.0
"""What a publisher vouches for, from `time` on: longer than `SAY_EVERY_S` by what a message may take."""


def is_due(said: Telemetry | None, now: Telemetry) -> bool:
    """Whether a publisher that said the one last is to say the other.

    A change of quality, or of who writes, is said at once: nobody may go on with a value that is known to be wrong.

    Args:
        said: what it said last of the point; None when nothing.
        now: what it would say at this time.
    """
    if said is None or _standing(said) != _standing(now):
        return True
    waited_s = (now.time - said.time).total_seconds()
    if waited_s < 0:  # the clock was set back: what is said now is the last word again
        return True
    return waited_s >= (SAY_EVERY_S if said.value == now.value else SAY_AT_MOST_EVERY_S)


def quality_at(said: Telemetry, received_at: datetime, now: datetime) -> Quality:
    """What a reader may believe of a point, by its own clock.

    What the plant's own system calls less than good without a reason of ours is `invalid` where it is bad, and `incomplete`
    where it is uncertain.

    Args:
        said: the last that was said.
        received_at: when it came first.
        now: the reader's time.
    """
    reasons = set(read_reasons(said.reasons))
    if said.value is None and not reasons:
        reasons.add(Reason.NEVER_RECEIVED)
    if now > said.valid_until:
        reasons.add(Reason.STALE)
    ahead = received_at + timedelta(seconds=CLOCK_DOUBT_S)
    if said.time > ahead or (said.measured_at is not None and said.measured_at > ahead):
        reasons.add(Reason.CLOCK_IN_DOUBT)
    if said.quality < min((LEVEL_OF[reason] for reason in reasons), default=Level.GOOD):
        reasons.add(Reason.INVALID if Level(said.quality) is Level.BAD else Reason.INCOMPLETE)
    return Quality.of(reasons)


def _standing(said: Telemetry) -> tuple[object, ...]:
    """What a reader must hear of at once."""
    return said.quality, said.reasons, said.unit, said.value is None, said.written_by, said.written_from
