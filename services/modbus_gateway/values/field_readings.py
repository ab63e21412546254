"""Field readings: what a state says in one of its fields, as good as the state is. Pure.

A field is what the message says and no more: `intervals[0]` is the first interval, not the one in force. So what is over is
expired, what a source speaks against alone counts, and so does another source that says otherwise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, cast

import msgspec

from dotbus.contracts.messages import Dot, DotInterval, Instructions, KnownInstruction, Lmp, Trajectory
from dotbus.contracts.quality import BIT_OF, HEARTBEAT_S, Quality, Reason, read_reasons
from dotbus.contracts.topics import Topics
from dotbus.judging.judge import Judged, Known, judge_state, judge_status, turns_of_ages, turns_of_status
from dotbus.judging.precedence import curve_received_at, holds, revisions, withdrawals
from dotbus.judging.received import Received
from dotbus.judging.vouching import JUST_AFTER
from dotbus.readings.reading import Named, Read, Reading, next_of
from dotbus.runtime.installation.modbus import Modbus, StateTopic
from dotbus.setpoints.curve import ends_at
from modbus_gateway.map.paths import Step, steps_of
from modbus_gateway.map.register_map import StateField

STATUS_COUNTS_S: Final = 3 * HEARTBEAT_S
"""How long a service's status counts: it is said anew each `HEARTBEAT_S`."""
_ENDS: Final = ("interval_end", "end_at", "until")
"""Fields that say until when what they stand in holds."""
Value = float | str | None


@dataclass(frozen=True)
class _Found:
    """What stands at a path: its value, and each part of the message that it lies in."""

    value: Value
    within: tuple[object, ...] = ()


def read_field(field: StateField, received: Received, topics: Topics, judging: Modbus, now: datetime) -> Read:
    """A field's value, its quality and the reasons for it."""
    steps = steps_of(field.path)
    if field.topic is StateTopic.SERVICE:
        counts_s = min(STATUS_COUNTS_S, field.stale_after_s or STATUS_COUNTS_S)
        name = f"{field.scope}/{field.name}"
        whole = judge_status(received, name, counts_s, now)
        turns_at = next_of(turns_of_status(received, name, counts_s), now)
        return Read(_named(field, _walk(whole.said, steps), whole.quality()), turns_at)
    known = _judged(field, received, topics, judging, now)
    best = known.parts[-1] if known.parts else None
    ages = turns_of_ages(received, field.topic_in(topics), _stale_after_s(field, judging))
    if best is None:
        return Read(_named(field, _Found(None), known.whole.quality()), next_of(ages, now))
    found = _walk(best.said, steps)
    reasons = [*_against(found, known, now), *_against_curve(best, judging, now)]
    if any(not one.quality().is_bad and _walk(one.said, steps).value != found.value for one in known.parts):
        reasons.append(Reason.INCOMPLETE)
    turns = (*ages, *_ends(found), *_turns(best, judging))
    return Read(_named(field, found, best.quality(*reasons)), next_of(turns, now))


_State = Dot | Trajectory | Instructions | Lmp


def _judged(field: StateField, received: Received, topics: Topics, judging: Modbus, now: datetime) -> Known[_State]:
    topic, stale_after_s = field.topic_in(topics), _stale_after_s(field, judging)
    found: Known[Dot] | Known[Trajectory] | Known[Instructions] | Known[Lmp]
    match field.topic:
        case StateTopic.DOT:
            found = judge_state(received, topic, Dot, stale_after_s, now)
        case StateTopic.TRAJECTORY:
            found = judge_state(received, topic, Trajectory, stale_after_s, now)
        case StateTopic.INSTRUCTIONS:
            found = judge_state(received, topic, Instructions, stale_after_s, now)
        case _:
            found = judge_state(received, topic, Lmp, stale_after_s, now)
    return cast("Known[_State]", found)  # each is of one of these kinds


def _stale_after_s(field: StateField, judging: Modbus) -> float:
    general_s = judging.price_stale_after_s if field.topic is StateTopic.LMP else judging.stale_after_s
    return min(general_s, field.stale_after_s or general_s)


def _walk(message: object, steps: tuple[Step, ...]) -> _Found:
    within: list[object] = []
    at = message
    for step in steps:
        if isinstance(step, int):
            at = at[step] if isinstance(at, tuple) and step < len(at) else None
        elif isinstance(at, dict):
            at = at.get(step)
        else:
            at = getattr(at, step, None)
        within.append(at)
    return _Found(_as_value(at), tuple(part for part in within if isinstance(part, msgspec.Struct)))


def _as_value(at: object) -> Value:
    match at:
        case datetime():
            return int(at.timestamp())
        case tuple():
            return sum(1 << BIT_OF[reason] for reason in read_reasons(str(name) for name in at))
        case Enum():
            return str(at.value)
        case bool() | int() | float() | str():
            return at
    return None


def _against(found: _Found, known: Known[_State], now: datetime) -> Iterator[Reason]:
    """What speaks against the part of the message alone that a value stands in."""
    states = [one.said for one in known.parts if isinstance(one.said, Dot | Instructions)]
    for part in found.within:
        yield from read_reasons(getattr(part, "reasons", ()))
        if isinstance(part, DotInterval | KnownInstruction) and not holds(part, revisions(states), withdrawals(states)):
            yield Reason.EXPIRED  # withdrawn or revised, as another source knows
        if isinstance(part, KnownInstruction) and part.standing == "in doubt":
            yield Reason.INCOMPLETE
    if any(end <= now for end in _ends(found)):
        yield Reason.EXPIRED


def _ends(found: _Found) -> tuple[datetime, ...]:
    ends = (getattr(part, name, None) for part in found.within for name in _ENDS)
    return tuple(end for end in ends if isinstance(end, datetime))


def _against_curve(best: Judged[_State], judging: Modbus, now: datetime) -> Iterator[Reason]:
    """What makes a trajectory bad that its source vouches for: no new batch came, or its last target is past."""
    if isinstance(best.said, Trajectory):
        received_at = curve_received_at(best.said, best.arrived_at)
        if received_at is None or now > received_at + timedelta(seconds=judging.trajectory_stale_after_s):
            yield Reason.STALE
        if not best.said.points or now > ends_at(best.said.points):
            yield Reason.EXPIRED


def _turns(best: Judged[_State], judging: Modbus) -> Iterator[datetime]:
    if not isinstance(best.said, Trajectory):
        return
    if best.said.points:
        yield ends_at(best.said.points) + JUST_AFTER
    if received_at := curve_received_at(best.said, best.arrived_at):
        yield received_at + timedelta(seconds=judging.trajectory_stale_after_s) + JUST_AFTER


def _named(field: StateField, found: _Found, quality: Quality) -> Named:
    return {
        field.called: Reading(found.value, quality),
        f"{field.called}_quality": Reading(quality.level),
        f"{field.called}_reasons": Reading(quality.reason_bits),
    }
