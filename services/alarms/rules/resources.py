"""Rules about resources: is the DOT known, can it be followed, is it followed, and is every instruction answered. Pure.

What is known of a DOT is what registers show of it (`dotbus.readings`): a rule and a register never judge by two ways.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from alarms.heard import Heard
from alarms.states.conditions import is_beyond
from alarms.states.observed import AlarmKey, Observed
from dotbus.contracts.alarms import AlarmRule
from dotbus.contracts.messages import KnownInstruction
from dotbus.contracts.quality import Reason
from dotbus.contracts.topics import Topics
from dotbus.judging.judge_instructions import judge_instructions
from dotbus.readings.reading import Named
from dotbus.readings.subjects import Member
from dotbus.runtime.installation.alarms import (
    DotDeviation,
    DotOutOfLimits,
    DotStale,
    InstructionUnanswered,
    ResourceAlarms,
)
from dotbus.runtime.installation.modbus import Modbus

MEGAWATTS = "MW"
_SPOILT = (Reason.STALE, Reason.INVALID)


@dataclass(frozen=True)
class Subject:
    """A resource that is looked at, with the rules that count for it."""

    member: Member
    rules: ResourceAlarms

    @property
    def resource_id(self) -> str:
        """By CAISO's name."""
        return self.member.resource.id

    def key(self, rule: AlarmRule) -> AlarmKey:
        """Its alarm of a rule."""
        return AlarmKey(self.member.plant, self.resource_id, rule)


def observe_resource(
    subject: Subject,
    named: Named,
    heard: Heard,
    topics: Topics,
    judging: Modbus,
    now: datetime,
    *,
    because: AlarmKey | None,
    was_active: Callable[[AlarmKey], bool],
) -> Iterator[Observed]:
    """What the rules say of a resource.

    Args:
        subject: the resource.
        named: what registers show of it now.
        heard: what is known.
        topics: of the installation.
        judging: for how long CAISO's word counts.
        now: the time.
        because: what keeps CAISO's word from coming here, where an alarm of its own tells of it.
        was_active: whether a rule held at the last look.
    """
    plant, rules = subject.member.plant, subject.rules
    yield _stale(subject, named, rules.dot_stale, judging.stale_after_s, because)
    yield _out_of_limits(subject, named, rules.dot_out_of_limits)
    actual_mw = heard.actual_mw(plant, subject.resource_id, now)
    yield _deviation(subject, named, actual_mw, rules.dot_deviation, now, was_active=was_active)
    known = judge_instructions(heard.received, topics.instructions(plant, subject.resource_id), judging.stale_after_s, now)
    yield _unanswered(subject, known.said, rules.instruction_unanswered, now)


def _stale(subject: Subject, named: Named, rule: DotStale, stale_after_s: float, because: AlarmKey | None) -> Observed:
    """What was never said is not stale: a resource that CAISO never dispatched has no DOT."""
    quality, age_s = named["dot_mw"].quality, named["dot_age_s"].value
    holds = any(reason in quality.reasons for reason in _SPOILT)
    text = f"the DOT of {subject.resource_id} is {'stale' if Reason.STALE in quality.reasons else 'not to be read'}"
    if isinstance(age_s, float | int):
        text += f": CAISO was last heard {age_s:.0f} s ago"
    age = float(age_s) if isinstance(age_s, float | int) else None
    return Observed(subject.key(AlarmRule.DOT_STALE), rule, holds, text, age, stale_after_s, "s", because)


def _out_of_limits(subject: Subject, named: Named, rule: DotOutOfLimits) -> Observed:
    dot, resource = named["dot_mw"], subject.member.resource
    key = subject.key(AlarmRule.DOT_OUT_OF_LIMITS)
    if dot.quality.is_bad or not isinstance(dot.value, float | int):
        return Observed(key, rule, None, "")
    is_above = resource.pmax_mw is not None and dot.value > resource.pmax_mw
    threshold = resource.pmax_mw if is_above else resource.pmin_mw
    holds = Reason.OUT_OF_LIMITS in dot.quality.reasons
    text = f"the DOT of {resource.id} is {dot.value:g} MW, {'above pmax_mw' if is_above else 'below pmin_mw'}"
    if threshold is not None:
        text += f" {threshold:g}"
    return Observed(key, rule, holds, text, float(dot.value), threshold, MEGAWATTS)


def _deviation(
    subject: Subject,
    named: Named,
    actual_mw: float | None,
    rule: DotDeviation,
    now: datetime,
    *,
    was_active: Callable[[AlarmKey], bool],
) -> Observed:
    """Looked at near the end of the interval: before that the resource may be on its ramp. In between nothing is known."""
    key, resource = subject.key(AlarmRule.DOT_DEVIATION), subject.member.resource
    dot, end = named["dot_mw"], named["dot_end"].value
    if resource.variable and not named["must_follow"].value:
        return Observed(key, rule, holds=False, text="")
    if dot.quality.is_bad or not isinstance(dot.value, float | int) or not isinstance(end, float | int) or actual_mw is None:
        return Observed(key, rule, None, "")
    left_s = end - now.timestamp()
    if not 0 <= left_s <= rule.before_end_s:
        return Observed(key, rule, None, "")
    away_mw = abs(actual_mw - dot.value)
    holds = is_beyond(away_mw, rule.band_mw, rule.deadband_mw, was_beyond=was_active(key))
    away = f"{away_mw:.1f} MW away from its DOT of {dot.value:g} MW, {left_s:.0f} s before its end"
    text = f"{resource.id} delivers {actual_mw:g} MW, {away}"
    return Observed(key, rule, holds, text, away_mw, rule.band_mw, MEGAWATTS)


def _unanswered(subject: Subject, said: tuple[KnownInstruction, ...], rule: InstructionUnanswered, now: datetime) -> Observed:
    soon = now + timedelta(seconds=rule.before_end_s)
    waiting = sorted(
        (one.answer.open_until, one.instruction_uid)
        for one in said
        if one.answer and one.answer.is_open and one.answer.answer == "none" and one.answer.open_until
        if now < one.answer.open_until <= soon
    )
    key = subject.key(AlarmRule.INSTRUCTION_UNANSWERED)
    if not waiting:
        return Observed(key, rule, holds=False, text="")
    until, uid = waiting[0]
    left_s = (until - now).total_seconds()
    more = f" and {len(waiting) - 1} more" if waiting[1:] else ""
    text = f"instruction {uid}{more} to {subject.resource_id} is not answered; CAISO takes answers for {left_s:.0f} s more"
    return Observed(key, rule, holds=True, text=text, value=left_s, threshold=rule.before_end_s, unit="s")
