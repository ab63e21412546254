"""Resource readings: what is read of one resource at a time, each value with its quality. Pure.

Values come from `judge` (may the state be believed) and `setpoint` (what it asks for now); what speaks against a single value
only, an interval that is over or a limit, is added here.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from dotbus.contracts.messages import DotInterval, Trajectory
from dotbus.contracts.quality import Quality, Reason
from dotbus.contracts.schedules import Schedule, in_force, of_schedule
from dotbus.contracts.topics import Topics
from dotbus.runtime.installation.installation import Resource
from dotbus.runtime.installation.modbus import Modbus
from modbus_gateway.map.register_map import Member
from modbus_gateway.state.curve import ends_at, trajectory_now
from modbus_gateway.state.judge import Judged, Known, judge_dots, judge_trajectory
from modbus_gateway.state.precedence import contested, curve_received_at
from modbus_gateway.state.received import Received
from modbus_gateway.values.reading import Named, Read, Reading, described
from modbus_gateway.values.setpoint import (
    clipped,
    must_follow,
    next_dot,
    next_turn,
    previous_dot,
    ramp_now,
    within,
)

RAMP_TOLERANCE: Final = 1e-6


def read_resource(member: Member, received: Received, topics: Topics, judging: Modbus, now: datetime) -> Read:
    """Every quantity of a resource."""
    names, resource = (member.plant, member.resource.id), member.resource
    stale_after_s = min(judging.stale_after_s, member.stale_after_s or judging.stale_after_s)
    known = judge_dots(received, topics.dot(*names), stale_after_s, now)
    trajectory = judge_trajectory(received, topics.trajectory(*names), stale_after_s, now)
    of = {schedule: Dots(known, schedule) for schedule in Schedule}
    dots = of[resource.schedule]
    named = {
        **_read_dot(dots, resource, now),
        **_read_set_point(dots, resource, now, clip=judging.clip_set_point),
        **_read_neighbours(dots, resource, now),
        **_read_schedule("five_minute_dot", of[Schedule.FIVE_MINUTE], resource, now),
        **_read_schedule("hourly_dot", of[Schedule.HOURLY], resource, now),
        **_read_trajectory(trajectory, resource, judging.trajectory_stale_after_s, now),
    }
    turns = (*(turn for each in of.values() for turn in each.turns(now)), *_turns_of(trajectory, judging))
    return Read(named, turns)


class Dots:
    """The DOTs of one schedule that hold, each judged."""

    def __init__(self, known: Known[DotInterval], schedule: Schedule) -> None:
        self._known = known
        self.intervals = of_schedule([part.said for part in known.parts], schedule)
        self._judged = {part.said: part for part in known.parts}
        self._contested = contested(self.intervals)

    @property
    def age_s(self) -> float | None:
        """Since CAISO was last heard about dispatches."""
        return self._known.whole.age_s

    def quality(self, of: Iterable[DotInterval | None], *more: Reason) -> Quality:
        """The quality of a value that is made of some DOTs: of the whole state's when there is none."""
        used = [interval for interval in of if interval]
        reasons = [self._judged[interval].reasons for interval in used] or [self._known.whole.reasons]
        doubt = [Reason.INCOMPLETE] if self._contested.intersection(used) else []
        impossible = [Reason.INVALID] if any(not _is_within(interval) for interval in used) else []
        return Quality.of(chain(more, doubt, impossible, *reasons))

    def none_in_force(self) -> list[Reason]:
        """Why there is no DOT: a state that says none for then. One that was never said has its own reason."""
        return [Reason.EXPIRED] if self._known.whole.said is not None else []

    def turns(self, now: datetime) -> list[datetime | None]:
        """When the passing of time next changes what is in force, or makes it stale."""
        return [next_turn(self.intervals, now), self._known.whole.until, *(part.until for part in self._known.parts)]


def _is_within(dot: DotInterval) -> bool:
    """Whether a DOT is to be reached within its own interval."""
    return dot.interval_start <= dot.target_at <= dot.interval_end


def _read_dot(dots: Dots, resource: Resource, now: datetime) -> Named:
    dot = in_force(dots.intervals, now)
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
        "dot_age_s": Reading.of_age(dots.age_s),
    }


def _read_schedule(name: str, dots: Dots, resource: Resource, now: datetime) -> Named:
    """The DOT in force of one schedule, whether the resource follows it or not."""
    dot = in_force(dots.intervals, now)
    quality = dots.quality([dot], *(_outside(dot.dot_mw, resource) if dot else dots.none_in_force()))
    return {
        **described(name, quality),
        f"{name}_mw": Reading(dot.dot_mw if dot else None, quality),
        f"{name}_start": Reading.of_time(dot.interval_start if dot else None, quality),
        f"{name}_end": Reading.of_time(dot.interval_end if dot else None, quality),
    }


def _read_set_point(dots: Dots, resource: Resource, now: datetime, *, clip: bool) -> Named:
    ramp = ramp_now(dots.intervals, now)
    if ramp is None:
        quality = dots.quality([], *dots.none_in_force())
        return {**described("set_point", quality), "set_point_mw": Reading(None, quality)}
    limit = resource.ramp_mw_per_min
    too_steep = limit is not None and abs(ramp.slope_mw_per_min) > limit * (1 + RAMP_TOLERANCE)
    steep = [Reason.OUT_OF_LIMITS] if too_steep else []
    bridged = [] if ramp.is_whole else [Reason.INCOMPLETE]
    quality = dots.quality(ramp.through, *_outside(ramp.set_point_mw, resource), *steep, *bridged)
    value_mw = clipped(ramp.set_point_mw, resource.pmin_mw, resource.pmax_mw) if clip else ramp.set_point_mw
    return {**described("set_point", quality), "set_point_mw": Reading(value_mw, quality)}


def _read_neighbours(dots: Dots, resource: Resource, now: datetime) -> Named:
    before, after = previous_dot(dots.intervals, now), next_dot(dots.intervals, now)
    before_quality = dots.quality([before], *(_outside(before.dot_mw, resource) if before else dots.none_in_force()))
    after_quality = dots.quality([after], *_outside(after.dot_mw if after else None, resource))
    return {
        **described("previous_dot", before_quality),
        **described("next_dot", after_quality),
        "previous_dot_mw": Reading(before.dot_mw if before else None, before_quality),
        "previous_dot_target": Reading.of_time(before.target_at if before else None, before_quality),
        "next_dot_mw": Reading(after.dot_mw if after else None, after_quality),
        "next_dot_start": Reading.of_time(after.interval_start if after else None, after_quality),
        "next_dot_target": Reading.of_time(after.target_at if after else None, after_quality),
    }


def _read_trajectory(trajectory: Judged[Trajectory | None], resource: Resource, stale_after_s: float, now: datetime) -> Named:
    message = trajectory.said
    value_mw = trajectory_now(message.points, now) if message else None
    latest = message.latest if message else None
    received_at = curve_received_at(message, trajectory.arrived_at) if message else None
    age_s = (now - received_at).total_seconds() if received_at else None
    old = [Reason.STALE] if message and message.points and (age_s is None or age_s > stale_after_s) else []
    ended = [Reason.EXPIRED] if message and (not message.points or now > ends_at(message.points)) else []
    quality = trajectory.quality(*old, *(ended or _none_said(message, value_mw)), *_outside(value_mw, resource))
    latest_mw = latest.dop_mw if latest else None
    latest_quality = trajectory.quality(*old, *(ended or _none_said(message, latest_mw)), *_outside(latest_mw, resource))
    return {
        **described("trajectory", quality),
        **described("latest_dop", latest_quality),
        "trajectory_mw": Reading(value_mw, quality),
        "trajectory_age_s": Reading.of_age(age_s),
        "trajectory_fresh": Reading(set(latest_quality.reasons) <= {Reason.OUT_OF_LIMITS}),
        "latest_dop_mw": Reading(latest_mw, latest_quality),
        "latest_dop_target": Reading.of_time(latest.target_at if latest else None, latest_quality),
    }


def _none_said(message: Trajectory | None, value_mw: float | None) -> list[Reason]:
    """Why there is no value: a curve that was said but begins later, or names no latest DOP."""
    return [Reason.EXPIRED] if message is not None and value_mw is None else []


def _turns_of(trajectory: Judged[Trajectory | None], judging: Modbus) -> list[datetime | None]:
    message = trajectory.said
    if message is None or not message.points:
        return [trajectory.until]
    received_at = curve_received_at(message, trajectory.arrived_at)
    old_at = received_at + timedelta(seconds=judging.trajectory_stale_after_s) if received_at else None
    return [trajectory.until, ends_at(message.points), old_at]


def _outside(value_mw: float | None, resource: Resource) -> list[Reason]:
    inside = value_mw is None or within(value_mw, resource.pmin_mw, resource.pmax_mw)
    return [] if inside else [Reason.OUT_OF_LIMITS]
