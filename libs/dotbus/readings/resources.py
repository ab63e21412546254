"""Resource readings: what is read of one resource at a time, each value with its quality. Pure.

Values come from `judge` (may the state be believed) and `setpoint` (what it asks for now); what speaks against a single value
only, an interval that is over or a limit, is added here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Self

from dotbus.contracts.messages import DotInterval, Trajectory
from dotbus.contracts.quality import Quality, Reason
from dotbus.contracts.schedules import Schedule
from dotbus.contracts.topics import Topics
from dotbus.judging.judge import Judged, Known, are_alone, judge_dots, judge_trajectory, turns_of_ages
from dotbus.judging.precedence import curve_received_at
from dotbus.judging.received import Received
from dotbus.judging.vouching import JUST_AFTER
from dotbus.readings.reading import Basis, Named, Read, Reading, described, moved, next_of
from dotbus.readings.subjects import Member
from dotbus.readings.timing import read_timing
from dotbus.runtime.installation.installation import Resource
from dotbus.runtime.installation.modbus import Modbus
from dotbus.setpoints.curve import Line, line_of
from dotbus.setpoints.ramp import Ramp
from dotbus.setpoints.setpoint import (
    RampPoint,
    against_dots,
    against_ramp,
    clipped,
    must_follow,
    ramp_now,
    within,
)
from dotbus.setpoints.timeline import timelines_of


def read_resource(
    member: Member, received: Received, topics: Topics, judging: Modbus, now: datetime, before: Read | None = None
) -> Read:
    """Every quantity of a resource. What says the same as it did `before` is not read again: only its age is another one."""
    names = (member.plant, member.resource.id)
    stale_after_s = min(judging.stale_after_s, member.stale_after_s or judging.stale_after_s)
    known = judge_dots(received, topics.dot(*names), stale_after_s, now)
    trajectory = judge_trajectory(received, topics.trajectory(*names), stale_after_s, now)
    ages = [at for say in (topics.dot, topics.trajectory) for at in turns_of_ages(received, say(*names), stale_after_s)]
    said = known.rests_on, *_said_of(trajectory)
    if before and before.basis and before.basis.still_holds(said, now):
        named, basis = {**moved(before.named, now), "dot_age_s": Reading.of_age(known.whole.heard_at, now)}, before.basis
        return Read(named, next_of(chain(ages, [basis.until] if basis.until else []), now), basis=basis)
    read = _read_anew(known, trajectory, member.resource, judging, now)
    is_restless = read.is_restless or not are_alone(received, topics.trajectory(*names))
    kept = Basis(said, now, read.turns_at) if known.rests_on is not None and not is_restless else None
    return Read(read.named, next_of(chain(ages, [read.turns_at] if read.turns_at else []), now), is_restless, basis=kept)


def _said_of(trajectory: Judged[Trajectory | None]) -> tuple[object, ...]:
    """All of a judged curve that its readings are made of."""
    message = trajectory.said
    if message is None:
        return (trajectory.reasons,)
    return trajectory.reasons, message.points, message.latest, curve_received_at(message, trajectory.arrived_at)


def _read_anew(
    known: Known[DotInterval], trajectory: Judged[Trajectory | None], resource: Resource, judging: Modbus, now: datetime
) -> Read:
    """What is read of what was said; it turns as time passes, whatever age that makes of it."""
    of = {schedule: Dots(known, schedule) for schedule in Schedule}
    dots = of[resource.schedule]
    set_point, curve = ramp_now(dots.timeline, now), Curve.at(trajectory, now)
    named = {
        **_read_dot(dots, resource, now),
        **_read_set_point(dots, set_point, resource, now, clip=judging.clip_set_point),
        **_read_neighbours(dots, resource, now),
        **_read_schedule("five_minute_dot", of[Schedule.FIVE_MINUTE], resource, now),
        **_read_schedule("hourly_dot", of[Schedule.HOURLY], resource, now),
        **_read_trajectory(curve, resource, judging.trajectory_stale_after_s, now),
    }
    turns = chain(
        (at for schedule in of.values() if (at := schedule.timeline.next_turn(now))),
        curve.turns(judging.trajectory_stale_after_s, now),
    )
    crosses = any(_crosses_limit(ramp, resource, now) for ramp in (set_point and set_point.ramp, curve.ramp) if ramp)
    return Read(named, next_of(turns, now), crosses)


class Dots:
    """The DOTs of one schedule that hold, each judged."""

    def __init__(self, known: Known[DotInterval], schedule: Schedule) -> None:
        self._known = known
        self.timeline = timelines_of(known.said)[schedule]

    @property
    def heard_at(self) -> datetime | None:
        """When CAISO was last heard about dispatches."""
        return self._known.whole.heard_at

    def quality(self, of: Iterable[DotInterval | None], *more: Reason) -> Quality:
        """The quality of a value that is made of some DOTs: of the whole state's when there is none."""
        used = [interval for interval in of if interval]
        reasons = [self._known.by_said[interval].reasons for interval in used] or [self._known.whole.reasons]
        return Quality.of(chain(more, against_dots(self.timeline, used), *reasons))

    def none_in_force(self) -> list[Reason]:
        """Why there is no DOT: a state that says none for then. One that was never said has its own reason."""
        return [Reason.EXPIRED] if self._known.whole.said is not None else []


@dataclass(frozen=True)
class Curve:
    """A trajectory and where a moment is on it.

    Attributes:
        received_at: when CAISO had its newest batch.
        ramp: the line between two points that the moment is on, None where there is none.
    """

    judged: Judged[Trajectory | None]
    received_at: datetime | None
    value_mw: float | None
    ramp: Ramp | None = None
    line: Line | None = None

    def has_ended(self, now: datetime) -> bool:
        """Whether its last point is past; so is that of one without points."""
        return self.line is not None and (not self.line.times or now > self.line.times[-1])

    @classmethod
    def at(cls, judged: Judged[Trajectory | None], now: datetime) -> Self:
        """The curve at a moment."""
        message = judged.said
        if message is None:
            return cls(judged, None, None)
        received_at = curve_received_at(message, judged.arrived_at)
        line = line_of(message.points)
        before, after = line.around(now)
        if before is None or after is None:
            return cls(judged, received_at, before.dop_mw if before else None, line=line)
        ramp = Ramp(before.target_at, before.dop_mw, after.target_at, after.dop_mw)
        return cls(judged, received_at, ramp.at(now), ramp, line)

    def turns(self, stale_after_s: float, now: datetime) -> Iterator[datetime]:
        """When the passing of time alone changes between which points it is, ends it, or makes its newest batch too old."""
        if self.line and self.line.times:
            if at := self.line.next_turn(now):
                yield at
            yield self.line.times[-1] + JUST_AFTER
        if self.received_at:
            yield self.received_at + timedelta(seconds=stale_after_s) + JUST_AFTER


def _read_dot(dots: Dots, resource: Resource, now: datetime) -> Named:
    dot = dots.timeline.in_force(now)
    reasons = _outside(dot.dot_mw, resource) if dot else dots.none_in_force()
    quality = dots.quality([dot], *reasons)
    follow = must_follow(dot, variable=resource.variable) if dot else None
    return {
        **described("dot", quality),
        "dot_mw": Reading(dot.dot_mw if dot else None, quality),
        "dot_start": Reading.of_time(dot.interval_start if dot else None, quality),
        "dot_end": Reading.of_time(dot.interval_end if dot else None, quality),
        "dot_target": Reading.of_time(dot.target_at if dot else None, quality),
        "supp_mw": Reading(dot.supp_mw if dot else None, quality),
        "must_follow": Reading(follow, quality),
        "dot_age_s": Reading.of_age(dots.heard_at, now),
        **read_timing(dots.timeline, dot, quality, now),
    }


def _read_schedule(name: str, dots: Dots, resource: Resource, now: datetime) -> Named:
    """The DOT in force of one schedule, whether the resource follows it or not."""
    dot = dots.timeline.in_force(now)
    quality = dots.quality([dot], *(_outside(dot.dot_mw, resource) if dot else dots.none_in_force()))
    return {
        **described(name, quality),
        f"{name}_mw": Reading(dot.dot_mw if dot else None, quality),
        f"{name}_start": Reading.of_time(dot.interval_start if dot else None, quality),
        f"{name}_end": Reading.of_time(dot.interval_end if dot else None, quality),
    }


def _read_set_point(dots: Dots, ramp: RampPoint | None, resource: Resource, now: datetime, *, clip: bool) -> Named:
    if ramp is None:
        quality = dots.quality([], *dots.none_in_force())
        return {**described("set_point", quality), "set_point_mw": Reading(None, quality)}
    against = against_ramp(ramp, resource.pmin_mw, resource.pmax_mw, resource.ramp_mw_per_min)
    quality = dots.quality(ramp.through, *against)
    shown = ramp.set_point_mw
    if clip and _outside(shown, resource):
        return {
            **described("set_point", quality),
            "set_point_mw": Reading(clipped(shown, resource.pmin_mw, resource.pmax_mw), quality),
        }
    return {**described("set_point", quality), "set_point_mw": _on(ramp.ramp, shown, resource, now, quality)}


def _on(ramp: Ramp | None, value_mw: float | None, resource: Resource, now: datetime, quality: Quality) -> Reading:
    """A value on a ramp, if it is on one: it moves as far as its quality stays the same meanwhile."""
    moves = ramp is not None and ramp.begin_mw != ramp.end_mw and not _crosses_limit(ramp, resource, now)
    return Reading(value_mw, quality, ramp if moves else None)


def _crosses_limit(ramp: Ramp, resource: Resource, now: datetime) -> bool:
    """Whether what is on a ramp comes across a limit of the resource before the ramp ends."""
    return _side(ramp.at(now), resource) != _side(ramp.end_mw, resource)


def _side(value_mw: float, resource: Resource) -> int:
    """0 within the limits that are given, else on which side of them a value is."""
    below = resource.pmin_mw is not None and value_mw < resource.pmin_mw
    return -1 if below else int(resource.pmax_mw is not None and value_mw > resource.pmax_mw)


def _read_neighbours(dots: Dots, resource: Resource, now: datetime) -> Named:
    before, after = dots.timeline.previous(now), dots.timeline.next(now)
    before_quality = dots.quality([before], *(_outside(before.dot_mw, resource) if before else dots.none_in_force()))
    after_quality = dots.quality([after], *_outside(after.dot_mw if after else None, resource))
    return {
        **described("previous_dot", before_quality),
        **described("next_dot", after_quality),
        "previous_dot_start": Reading.of_time(before.interval_start if before else None, before_quality),
        "previous_dot_end": Reading.of_time(before.interval_end if before else None, before_quality),
        "previous_dot_mw": Reading(before.dot_mw if before else None, before_quality),
        "previous_dot_target": Reading.of_time(before.target_at if before else None, before_quality),
        "next_dot_mw": Reading(after.dot_mw if after else None, after_quality),
        "next_dot_start": Reading.of_time(after.interval_start if after else None, after_quality),
        "next_dot_target": Reading.of_time(after.target_at if after else None, after_quality),
    }


def _read_trajectory(curve: Curve, resource: Resource, stale_after_s: float, now: datetime) -> Named:
    message, trajectory, value_mw = curve.judged.said, curve.judged, curve.value_mw
    latest = message.latest if message else None
    age_s = (now - curve.received_at).total_seconds() if curve.received_at else None
    old = [Reason.STALE] if message and message.points and (age_s is None or age_s > stale_after_s) else []
    ended = [Reason.EXPIRED] if curve.has_ended(now) else []
    quality = trajectory.quality(*old, *(ended or _none_said(message, value_mw)), *_outside(value_mw, resource))
    latest_mw = latest.dop_mw if latest else None
    latest_quality = trajectory.quality(*old, *(ended or _none_said(message, latest_mw)), *_outside(latest_mw, resource))
    return {
        **described("trajectory", quality),
        **described("latest_dop", latest_quality),
        "trajectory_mw": _on(curve.ramp, value_mw, resource, now, quality),
        "trajectory_age_s": Reading.of_age(curve.received_at, now),
        "trajectory_fresh": Reading(set(latest_quality.reasons) <= {Reason.OUT_OF_LIMITS}),
        "latest_dop_mw": Reading(latest_mw, latest_quality),
        "latest_dop_target": Reading.of_time(latest.target_at if latest else None, latest_quality),
    }


def _none_said(message: Trajectory | None, value_mw: float | None) -> list[Reason]:
    """Why there is no value: a curve that was said but begins later, or names no latest DOP."""
    return [Reason.EXPIRED] if message is not None and value_mw is None else []


def _outside(value_mw: float | None, resource: Resource) -> list[Reason]:
    inside = value_mw is None or within(value_mw, resource.pmin_mw, resource.pmax_mw)
    return [] if inside else [Reason.OUT_OF_LIMITS]
