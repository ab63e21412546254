"""An alarm: what becomes of its state by a trigger, as the message that says it. Pure.

The state on the bus has all that is known of an alarm, so that a process that was killed goes on with what it kept.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from alarms.states.observed import NEXT_STEP, AlarmKey, Observed
from alarms.states.transitions import Trigger, next_state
from dotbus.contracts.alarms import CODE_OF, AlarmRule, AlarmState
from dotbus.contracts.messages import AlarmChanged, AlarmStatus
from dotbus.runtime.presence import Identity


@dataclass(frozen=True)
class Deed:
    """What somebody does with an alarm.

    Attributes:
        trigger: acknowledged, shelved or unshelved.
        by: who.
        comment: why.
        command_id: of the command.
        shelved_until: of a shelving.
    """

    trigger: Trigger
    by: str
    comment: str | None
    command_id: str
    shelved_until: datetime | None = None


@dataclass(frozen=True)
class Change:
    """An alarm that changed.

    Attributes:
        key: which.
        status: as it is now.
        event: what happened; None where only what is not told of changed.
    """

    key: AlarmKey
    status: AlarmStatus
    event: AlarmChanged | None


def first_status(observed: Observed, identity: Identity, now: datetime) -> AlarmStatus:
    """An alarm of which nothing ever happened."""
    rule = AlarmRule(observed.key.rule)
    return AlarmStatus(
        environment=identity.environment,
        source=identity.source,
        time=now,
        plant=observed.key.plant,
        about=observed.key.about,
        rule=rule,
        code=CODE_OF[rule],
        priority=observed.rule.priority,
        state=AlarmState.NORMAL,
        is_active=False,
        text=observed.text,
        next_step=NEXT_STEP[rule],
        changes=0,
        changed_at=now,
    )


def key_of(status: AlarmStatus) -> AlarmKey:
    """Which alarm a state is of."""
    return AlarmKey(status.plant, status.about, status.rule)


def event_id(key: AlarmKey, *which: object) -> str:
    """The id of what happened to an alarm: by a command its id, else its number and time, since another outbox counts anew."""
    words = tuple(str(one) for one in (*key, *which))  # a rule's name may be a text or the rule itself
    return f"alarm/{hashlib.sha256(repr(words).encode()).hexdigest()[:32]}"


def triggered(
    before: AlarmStatus, trigger: Trigger, now: datetime, *, is_suppressed: bool = False, deed: Deed | None = None
) -> Change | None:
    """The alarm after a trigger; None where that moves nothing.

    Args:
        before: the alarm, with `is_active` as it is now, and `because` where something else tells of it.
        trigger: what happens.
        now: when.
        is_suppressed: whether something else tells of it already.
        deed: who does it and why; None where nobody does.
    """
    state = next_state(before.state, trigger, is_active=before.is_active, is_suppressed=is_suppressed)
    if state is None:
        return None
    after = replace(before, time=now, state=state, changes=before.changes + 1, changed_at=now)
    after = _with_times(after, trigger, now)
    if deed is not None:
        after = _with_deed(after, deed, now)
    if state is not AlarmState.SUPPRESSED:
        after = replace(after, because=None)
    return Change(key_of(after), after, _event(before, after, trigger, deed))


def _with_times(after: AlarmStatus, trigger: Trigger, now: datetime) -> AlarmStatus:
    if after.state is AlarmState.UNACKNOWLEDGED:
        after = replace(after, raised_at=now, acknowledged_at=None, acknowledged_by=None)
    elif trigger is Trigger.RETURNED:
        after = replace(after, returned_at=now)
    if after.state is not AlarmState.SHELVED:
        after = replace(after, shelved_until=None, shelved_by=None)
    return after


def _with_deed(after: AlarmStatus, deed: Deed, now: datetime) -> AlarmStatus:
    after = replace(after, comment=deed.comment)
    match deed.trigger:
        case Trigger.ACKNOWLEDGED:
            return replace(after, acknowledged_at=now, acknowledged_by=deed.by)
        case Trigger.SHELVED:
            return replace(after, shelved_until=deed.shelved_until, shelved_by=deed.by)
    return after


def _event(before: AlarmStatus, after: AlarmStatus, trigger: Trigger, deed: Deed | None) -> AlarmChanged:
    return AlarmChanged(
        environment=after.environment,
        source=after.source,
        time=after.time,
        id=event_id(key_of(after), deed.command_id) if deed else event_id(key_of(after), after.changes, after.changed_at),
        plant=after.plant,
        about=after.about,
        rule=after.rule,
        code=after.code,
        priority=after.priority,
        what=trigger,
        state_before=before.state,
        state=after.state,
        is_active=after.is_active,
        text=after.text,
        value=after.value,
        threshold=after.threshold,
        unit=after.unit,
        changed_at=after.changed_at,
        changed_by=deed.by if deed else None,
        comment=deed.comment if deed else None,
        command_id=deed.command_id if deed else None,
        shelved_until=after.shelved_until,
        because=after.because,
    )
