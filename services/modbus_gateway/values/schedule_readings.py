"""Schedule readings: how long what a DOT asks lasts, what batch said it, and when the one before it was. Pure.

Seconds that count down are never held: they have no value while no DOT in force may be believed.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from dotbus.contracts.messages import DotInterval
from dotbus.contracts.quality import Quality, Reason
from dotbus.contracts.schedules import Schedule, in_force, schedules_of
from modbus_gateway.values.motion import Until
from modbus_gateway.values.reading import Named, Reading

SCHEDULE_CODES: Final = {
    frozenset({Schedule.FIVE_MINUTE}): 1,
    frozenset({Schedule.HOURLY}): 2,
    frozenset(Schedule): 3,
}
"""How a register names the schedules that a DOT is of: an exceptional dispatch is of both."""


def read_timing(intervals: Sequence[DotInterval], dot: DotInterval | None, quality: Quality, now: datetime) -> Named:
    """How long the DOT in force asks what it asks, and the batch that said it.

    Args:
        intervals: all DOTs of the schedule.
        dot: the one in force.
        quality: that of `dot_mw`.
        now: the gateway's clock.
    """
    fresh = Reading(set(quality.reasons) <= {Reason.OUT_OF_LIMITS})
    if dot is None or quality.is_bad:
        absent = ("dot_changes_in_s", "dot_target_in_s", "dot_batch_type", "dot_schedule", "dot_revision")
        return {**dict.fromkeys(absent, Reading(None)), "dot_fresh": fresh}
    return {
        "dot_fresh": fresh,
        "dot_changes_in_s": Reading.moving(Until(changes_at(intervals, dot, now)), now),
        "dot_target_in_s": Reading.moving(Until(dot.target_at), now),
        "dot_batch_type": Reading(dot.batch_type),
        "dot_schedule": Reading(SCHEDULE_CODES[schedules_of(dot.batch_type)]),
        "dot_revision": Reading(dot.revision_no),
    }


def changes_at(intervals: Sequence[DotInterval], dot: DotInterval, now: datetime) -> datetime:
    """When something else is asked than by the DOT in force, or nothing any more, as far as CAISO has said."""
    cuts = {at for interval in intervals for at in (interval.interval_start, interval.interval_end) if at > now}
    return next((at for at in sorted(cuts) if not _asks_the_same(dot, in_force(intervals, at))), dot.interval_end)


def _asks_the_same(dot: DotInterval, other: DotInterval | None) -> bool:
    def asked(one: DotInterval) -> tuple[object, ...]:
        return one.dot_mw, one.supp_mw, one.must_follow

    return other is not None and asked(dot) == asked(other)
