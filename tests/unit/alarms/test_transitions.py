"""The state machine is ISA-18.2's: every state with every trigger, against the standard's table written out a second time."""

import pytest

from alarms.states.transitions import Trigger, next_state
from dotbus.contracts.alarms import AlarmState

# state: {trigger: (next where what is alarmed does not hold, next where it does)}; what is not here moves nothing.
N, U, A, R = AlarmState.NORMAL, AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED, AlarmState.RETURNED
SHELVED, SUPPRESSED, OUT = AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE
HIDES = {Trigger.SHELVED: (SHELVED,) * 2, Trigger.SUPPRESSED: (SUPPRESSED,) * 2, Trigger.OUT_OF_SERVICE: (OUT,) * 2}
STANDARD = {
    N: {**HIDES, Trigger.RAISED: (U, U)},
    U: {**HIDES, Trigger.ACKNOWLEDGED: (A, A), Trigger.RETURNED: (R, R)},
    A: {**HIDES, Trigger.RETURNED: (N, N)},
    R: {**HIDES, Trigger.ACKNOWLEDGED: (N, N), Trigger.RAISED: (U, U)},
    SHELVED: {
        Trigger.SHELVED: (SHELVED, SHELVED),
        Trigger.OUT_OF_SERVICE: (OUT, OUT),
        Trigger.UNSHELVED: (N, U),
        Trigger.SHELVED_OVER: (N, U),
    },
    SUPPRESSED: {Trigger.SHELVED: (SHELVED,) * 2, Trigger.OUT_OF_SERVICE: (OUT,) * 2, Trigger.UNSUPPRESSED: (N, U)},
    OUT: {Trigger.IN_SERVICE: (N, U)},
}


@pytest.mark.parametrize("trigger", Trigger)
@pytest.mark.parametrize("state", AlarmState)
def test_each_trigger_leads_where_the_standard_says_or_nowhere(state: AlarmState, trigger: Trigger):
    expected = STANDARD[state].get(trigger, (None, None))
    found = tuple(next_state(state, trigger, is_active=is_active) for is_active in (False, True))
    assert found == expected


@pytest.mark.parametrize("state", [SHELVED, OUT])
def test_what_leaves_the_shelf_while_its_cause_is_told_of_is_suppressed_and_not_raised(state: AlarmState):
    trigger = Trigger.UNSHELVED if state is SHELVED else Trigger.IN_SERVICE
    assert next_state(state, trigger, is_active=True, is_suppressed=True) is SUPPRESSED
    assert next_state(state, trigger, is_active=False, is_suppressed=True) is N
