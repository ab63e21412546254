"""Transitions: the state diagram of ISA-18.2, as a table. Pure.

An alarm that leaves shelf, suppression or out-of-service is as new: it is unacknowledged where what is alarmed holds, else
normal.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from dotbus.contracts.alarms import AlarmState

NORMAL, UNACKNOWLEDGED, ACKNOWLEDGED = AlarmState.NORMAL, AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED
RETURNED, SHELVED, SUPPRESSED = AlarmState.RETURNED, AlarmState.SHELVED, AlarmState.SUPPRESSED
OUT_OF_SERVICE = AlarmState.OUT_OF_SERVICE


class Trigger(StrEnum):
    """What moves an alarm from one state to the next; as events say it."""

    RAISED = "raised"
    RETURNED = "returned"
    ACKNOWLEDGED = "acknowledged"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    SHELVED_OVER = "shelved-over"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    OUT_OF_SERVICE = "out-of-service"
    IN_SERVICE = "in-service"


_TABLE: Final[Mapping[tuple[AlarmState, Trigger], AlarmState]] = {
    (NORMAL, Trigger.RAISED): UNACKNOWLEDGED,
    (UNACKNOWLEDGED, Trigger.ACKNOWLEDGED): ACKNOWLEDGED,
    (UNACKNOWLEDGED, Trigger.RETURNED): RETURNED,
    (ACKNOWLEDGED, Trigger.RETURNED): NORMAL,
    (RETURNED, Trigger.ACKNOWLEDGED): NORMAL,
    (RETURNED, Trigger.RAISED): UNACKNOWLEDGED,
    **{(state, Trigger.SHELVED): SHELVED for state in AlarmState if state is not OUT_OF_SERVICE},
    **{(state, Trigger.SUPPRESSED): SUPPRESSED for state in (NORMAL, UNACKNOWLEDGED, ACKNOWLEDGED, RETURNED)},
    **{(state, Trigger.OUT_OF_SERVICE): OUT_OF_SERVICE for state in AlarmState if state is not OUT_OF_SERVICE},
}
_LEAVES: Final[Mapping[Trigger, AlarmState]] = {
    Trigger.UNSHELVED: SHELVED,
    Trigger.SHELVED_OVER: SHELVED,
    Trigger.UNSUPPRESSED: SUPPRESSED,
    Trigger.IN_SERVICE: OUT_OF_SERVICE,
}


def next_state(state: AlarmState, trigger: Trigger, *, is_active: bool, is_suppressed: bool = False) -> AlarmState | None:
    """The state after a trigger; None where it moves nothing.

    Args:
        state: the one before.
        trigger: what happens.
        is_active: whether what is alarmed holds.
        is_suppressed: whether something else tells of it already, should it leave the shelf or go into service.
    """
    if trigger not in _LEAVES:
        return _TABLE.get((state, trigger))
    if state is not _LEAVES[trigger]:
        return None
    if not is_active:
        return NORMAL
    return SUPPRESSED if is_suppressed else UNACKNOWLEDGED
