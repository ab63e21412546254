"""Schedule readings: how long what a DOT asks lasts, what batch said it, and when the one before it was. Pure.

Seconds that count down are never held: they have no value while no DOT in force may be believed.
"""

from datetime import datetime
from typing import Final

from dotbus.contracts.messages import DotInterval
from dotbus.contracts.quality import Quality, Reason
from dotbus.contracts.schedules import Schedule, schedules_of
from dotbus.readings.motion import Until
from dotbus.readings.reading import Named, Reading
from dotbus.setpoints.timeline import Timeline

SCHEDULE_CODES: Final = {
    frozenset({Schedule.FIVE_MINUTE}): 1,
    frozenset({Schedule.HOURLY}): 2,
    frozenset(Schedule): 3,
}
"""How a register names the schedules that a DOT is of: an exceptional dispatch is of both."""


def read_timing(timeline: Timeline, dot: DotInterval | None, quality: Quality, now: datetime) -> Named:
    """How long the DOT in force asks what it asks, and the batch that said it.

    Args:
        timeline: of all DOTs of the schedule.
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
        "dot_changes_in_s": Reading.moving(Until(changes_at(timeline, dot, now)), now),
        "dot_target_in_s": Reading.moving(Until(dot.target_at), now),
        "dot_batch_type": Reading(dot.batch_type),
        "dot_schedule": Reading(SCHEDULE_CODES[schedules_of(dot.batch_type)]),
        "dot_revision": Reading(dot.revision_no),
    }


def changes_at(timeline: Timeline, dot: DotInterval, now: datetime) -> datetime:
    """When something else is asked than by the DOT in force, or nothing any more, as far as CAISO has said."""
    return next((at for at in timeline.cuts_after(now) if not _asks_the_same(dot, timeline.in_force(at))), dot.interval_end)


def _asks_the_same(dot: DotInterval, other: DotInterval | None) -> bool:
    def asked(one: DotInterval) -> tuple[object, ...]:
        return one.dot_mw, one.supp_mw, one.must_follow

    return other is not None and asked(dot) == asked(other)
