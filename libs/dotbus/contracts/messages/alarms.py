"""Alarms on the bus: each one as a state, its changes as events, what operators are shown in all, and their commands."""

from typing import Annotated, Literal

import msgspec

from dotbus.contracts.alarms import AlarmAction, AlarmPriority, AlarmState
from dotbus.contracts.messages.envelope import Command, Count, Event, NonEmpty, Seq, State, Utc

Person = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
"""Who acknowledges or shelves; an alarm of nobody is acknowledged by nobody."""
Comment = Annotated[str, msgspec.Meta(max_length=1000)]
Minutes = Annotated[float, msgspec.Meta(gt=0, le=10_080)]
Code = Annotated[int, msgspec.Meta(ge=1, le=65_535)]


class AlarmStatus(State, frozen=True, kw_only=True, tag="alarm-state"):
    """One alarm as it is now: where it is in ISA-18.2's state diagram, and why.

    Attributes:
        plant: the plant of the operator whom it is for; `installation` where it is of no plant.
        about: what it is about: a resource by CAISO's name, or SERVICE/INSTANCE.
        rule: what is alarmed, by the names of docs/alarms.md. Later versions may know more.
        code: the rule's number, as registers show it.
        priority: critical, high, medium or low.
        state: normal, unacknowledged, acknowledged, returned-unacknowledged, shelved, suppressed (by design: what `because`
            names tells of it already) or out-of-service.
        is_active: whether what is alarmed holds now, delays counted, whatever the state.
        text: what is wrong, and where, in words.
        next_step: what to do about it.
        value: what was measured when it was raised, in `unit`; null where nothing is.
        threshold: what it is held against, in `unit`.
        unit: of both; null where they have none.
        changes: counts what happened to the alarm.
        changed_at: when the state last changed.
        raised_at: when it was raised last; null before it ever was.
        returned_at: when what was alarmed ended last.
        acknowledged_at: when it was acknowledged since it was raised; null while it is not.
        acknowledged_by: by whom, as the command says.
        shelved_until: until when it is shelved; null unless it is.
        shelved_by: by whom, as the command says.
        comment: what was said with the last command.
        because: the alarm whose cause it shares, as PLANT/ABOUT/RULE; null unless there is one now.
    """

    plant: NonEmpty
    about: NonEmpty
    rule: NonEmpty
    code: Code
    priority: AlarmPriority
    state: AlarmState
    is_active: bool
    text: str
    next_step: str
    value: float | None = None
    threshold: float | None = None
    unit: NonEmpty | None = None
    changes: Count
    changed_at: Utc
    raised_at: Utc | None = None
    returned_at: Utc | None = None
    acknowledged_at: Utc | None = None
    acknowledged_by: Person | None = None
    shelved_until: Utc | None = None
    shelved_by: Person | None = None
    comment: Comment | None = None
    because: NonEmpty | None = None


class AlarmChanged(Event, frozen=True, kw_only=True, tag="alarm"):
    """Something happened to an alarm: it was raised, returned to normal, was acknowledged, shelved or suppressed.

    Attributes:
        plant: as of the state.
        alarm_seq: counts the plant's alarm events, from 1 without gaps within `stream`.
        about: as of the state.
        rule: as of the state.
        code: as of the state.
        priority: as of the state.
        what: raised, returned, acknowledged, shelved, unshelved, shelved-over (its time is over), suppressed, unsuppressed,
            out-of-service or in-service. Later versions may know more.
        state_before: the state that it was in.
        state: the state that it is in now.
        is_active: whether what is alarmed holds.
        text: what is wrong, and where, in words.
        value: what was measured, in `unit`.
        threshold: what it is held against, in `unit`.
        unit: of both.
        changed_at: when it happened, by the clock of the service.
        changed_by: who did it, as the command says; nobody has proven it. Null where nobody did.
        comment: what was said with the command.
        command_id: the command's; null where there was none.
        shelved_until: until when it is shelved; null unless it is.
        because: the alarm whose cause it shares, as PLANT/ABOUT/RULE.
    """

    plant: NonEmpty
    alarm_seq: Seq | None = None
    about: NonEmpty
    rule: NonEmpty
    code: Code
    priority: AlarmPriority
    what: NonEmpty
    state_before: AlarmState
    state: AlarmState
    is_active: bool
    text: str
    value: float | None = None
    threshold: float | None = None
    unit: NonEmpty | None = None
    changed_at: Utc
    changed_by: Person | None = None
    comment: Comment | None = None
    command_id: NonEmpty | None = None
    shelved_until: Utc | None = None
    because: NonEmpty | None = None


class AlarmCount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How many alarms of one priority there are.

    Attributes:
        priority: critical, high, medium or low.
        unacknowledged: how many nobody has acknowledged, be what they tell over or not.
        active: how many tell of something that holds now, acknowledged or not; neither shelved nor suppressed ones.
    """

    priority: AlarmPriority
    unacknowledged: Count
    active: Count


class AlarmSummary(State, frozen=True, kw_only=True, tag="alarm-summary"):
    """What a plant's operator is shown in all: the plant's alarms and those of the whole installation.

    Attributes:
        plant: the plant; `installation` for those of no plant alone.
        counts: one of each priority, the most urgent first.
        shelved: how many are shelved.
        suppressed: how many are suppressed by design.
        newest_code: the code of the alarm that was raised last and is still unacknowledged or active; null where there is none.
        newest_raised_at: when that was.
        raised_in_10_min: how many alarms were raised in the last 10 minutes.
        is_flood: whether those are more than an operator can act on: a flood begins with more than 10, and ends below 5.
        valid_until: until when the service vouches for it. It says it again before.
    """

    plant: NonEmpty
    counts: tuple[AlarmCount, ...]
    shelved: Count
    suppressed: Count
    newest_code: Code | None = None
    newest_raised_at: Utc | None = None
    raised_in_10_min: Count
    is_flood: bool
    valid_until: Utc


class AlarmCommand(Command, frozen=True, kw_only=True, tag="alarm-command"):
    """Acknowledge, shelve or unshelve an alarm, on its topic that ends in the action.

    Nobody who hears it can see which user of the broker sent it: `requested_by` is what the sender says.

    Attributes:
        action: acknowledge, shelve or unshelve; as the topic says.
        requested_by: who does it: a person's name.
        comment: why; to shelve needs one.
        shelve_min: for how many minutes it is shelved; to shelve needs it.
        raised_at: the `raised_at` of the alarm that was looked at. Where the alarm was raised again since, the command is
            refused: nobody acknowledges what he has not seen. Null is whatever there is.
        command_id: chosen by the sender. The same command again, with the same id, is answered as the first was.
        expires_at: when it is too late for it; without it a minute after `time`.
    """

    action: AlarmAction
    requested_by: Person
    comment: Comment | None = None
    shelve_min: Minutes | None = None
    raised_at: Utc | None = None
    command_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    expires_at: Utc | None = None


class AlarmCommandReply(Command, frozen=True, kw_only=True, tag="alarm-command-reply"):
    """What became of a command to an alarm.

    Attributes:
        command_id: the command's; null when it could not be read.
        outcome: taken or refused.
        detail: the same in words.
        state: the state that the alarm is in now; null where there is no such alarm.
    """

    command_id: NonEmpty | None
    outcome: Literal["taken", "refused"]
    detail: str
    state: AlarmState | None = None
