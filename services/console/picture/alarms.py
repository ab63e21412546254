"""Alarms: those that are not normal, and how many came of late, as a page shows them. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from console.picture.parts import Part
from dotbus.contracts.alarms import AlarmPriority, AlarmState
from dotbus.contracts.messages import AlarmStatus
from dotbus.judging.alarm_summaries import SaidSummary

OF_NO_CONCERN: Final = frozenset({AlarmState.NORMAL, AlarmState.OUT_OF_SERVICE})
_URGENT: Final = frozenset({AlarmPriority.CRITICAL, AlarmPriority.HIGH})
_PUT_AWAY: Final = frozenset({AlarmState.SHELVED, AlarmState.SUPPRESSED})


class ShownAlarm(Part, frozen=True, kw_only=True):
    """One alarm.

    Attributes:
        level: bad, uncertain, or good where it holds no more or is put away; the priority itself is a word.
        do: what to do about it.
        raised_at: when it was raised, as the alarm says it: whoever acknowledges says it again.
        shelved_until: seconds since 1970.
        because: the alarm that tells of its cause.
    """

    plant: str
    about: str
    rule: str
    priority: str
    state: str
    level: str
    is_active: bool
    text: str
    do: str
    raised_at: datetime | None
    acknowledged_by: str | None
    shelved_by: str | None
    shelved_until: float | None
    comment: str | None
    because: str | None


class ShownFlood(Part, frozen=True, kw_only=True):
    """How many alarms of a plant's operator were raised in the last 10 minutes; bad where that is more than one can act on."""

    raised: int
    level: str
    text: str


def show_flood(known: Sequence[SaidSummary], now: datetime) -> ShownFlood | None:
    """What was said last of a plant's alarms; None once the service of alarms vouches for it no longer, or while none came."""
    said = known[-1] if known else None
    if said is None or now > said.counts_until or not said.said.raised_in_10_min:
        return None
    text = f"{said.said.plant}: {said.said.raised_in_10_min} raised within 10 minutes"
    if not said.said.is_flood:
        return ShownFlood(raised=said.said.raised_in_10_min, level="good", text=text)
    text = f"Flood of alarms: {text}, more than one person can act on"
    return ShownFlood(raised=said.said.raised_in_10_min, level="bad", text=text)


def show_alarm(said: AlarmStatus) -> ShownAlarm | None:
    """An alarm as a page shows it; None of one that needs nobody."""
    if said.state in OF_NO_CONCERN:
        return None
    return ShownAlarm(
        plant=said.plant,
        about=said.about,
        rule=said.rule,
        priority=said.priority,
        state=said.state,
        level=_level(said),
        is_active=said.is_active,
        text=said.text,
        do=said.next_step,
        raised_at=said.raised_at,
        acknowledged_by=said.acknowledged_by,
        shelved_by=said.shelved_by,
        shelved_until=said.shelved_until.timestamp() if said.shelved_until else None,
        comment=said.comment,
        because=said.because,
    )


def _level(said: AlarmStatus) -> str:
    if not said.is_active or said.state in _PUT_AWAY:
        return "good"
    return "bad" if said.priority in _URGENT else "uncertain"
