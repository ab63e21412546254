"""All that can happen to an alarm, in any order: it is always in the state that the standard says, and nothing is doubled."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alarms.states.alarm import Deed
from alarms.states.alarms import Alarms
from alarms.states.observed import AlarmKey, Observed
from alarms.states.transitions import Trigger
from dotbus.contracts.alarms import AlarmState
from dotbus.contracts.codec import decode, encode
from dotbus.contracts.messages import Environment
from dotbus.runtime.installation.alarms import DotStale
from dotbus.runtime.presence import Identity

START = datetime(2026, 10, 13, 14, 0, tzinfo=UTC)
KEY, CAUSE = AlarmKey("sierra", "S1", "dot-stale"), AlarmKey("installation", "ads_ingest/a", "service-down")
IDENTITY = Identity("alarms", "main", Environment.SIMULATOR, START)
RULE = DotStale(on_delay_s=0.0, off_delay_s=0.0)
AFTER_S = 20.0


class AnAlarm(RuleBasedStateMachine):
    """The alarm of the service beside the standard's own words, told a second time."""

    def __init__(self) -> None:
        super().__init__()
        self.alarms = Alarms(IDENTITY, [], AFTER_S, 0.0)
        self.now_s = 0.0
        self.holds: bool | None = False
        self.active = self.cause = False
        self.enabled = True
        self.cause_counts_until_s = -1.0
        self.shelved_until_s = 0.0
        self.expected = AlarmState.NORMAL
        self.ids: set[str] = set()
        self.commands = 0

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.now_s)

    @rule(holds=st.sampled_from([True, False, None]))
    def it_comes_and_goes(self, holds):
        self.holds = holds

    @rule(cause=st.booleans())
    def a_cause_comes_and_goes(self, cause):
        self.cause = cause

    @rule(enabled=st.booleans())
    def it_is_set_out_of_service(self, enabled):
        self.enabled = enabled

    @rule(seconds=st.sampled_from([1.0, 7.0, 25.0, 700.0]))
    def it_is_looked_at(self, seconds):
        self.now_s += seconds
        observed = Observed(
            KEY, RULE.model_copy(update={"enabled": self.enabled}), self.holds, "it", because=CAUSE if self.cause else None
        )
        changes = self.alarms.look([observed], self.now, self.now_s)
        assert len(changes) <= 1
        self.keep(changes)
        self.expect_a_look()

    def expect_a_look(self) -> None:  # noqa: C901  # the standard in one place
        known = KEY in self.alarms.statuses
        if not self.enabled:
            self.expected = AlarmState.OUT_OF_SERVICE if known else AlarmState.NORMAL
            return
        self.active = self.active if self.holds is None else self.holds
        if self.cause:
            self.cause_counts_until_s = self.now_s + AFTER_S
        caused = self.cause or self.now_s < self.cause_counts_until_s
        as_new = AlarmState.NORMAL if not self.active else AlarmState.SUPPRESSED if caused else AlarmState.UNACKNOWLEDGED
        match self.expected:
            case AlarmState.OUT_OF_SERVICE:
                self.expected = as_new
            case AlarmState.SHELVED if self.now_s >= self.shelved_until_s:
                self.expected = as_new
            case AlarmState.SHELVED:
                pass
            case AlarmState.SUPPRESSED if not caused:
                self.expected = as_new
            case AlarmState.SUPPRESSED:
                pass
            case _ if self.active and caused:
                self.expected = AlarmState.SUPPRESSED
            case AlarmState.NORMAL | AlarmState.RETURNED if self.active:
                self.expected = AlarmState.UNACKNOWLEDGED
            case AlarmState.UNACKNOWLEDGED if not self.active:
                self.expected = AlarmState.RETURNED
            case AlarmState.ACKNOWLEDGED if not self.active:
                self.expected = AlarmState.NORMAL

    @precondition(lambda self: KEY in self.alarms.statuses)
    @rule()
    def somebody_acknowledges(self):
        moves = {AlarmState.UNACKNOWLEDGED: AlarmState.ACKNOWLEDGED, AlarmState.RETURNED: AlarmState.NORMAL}
        assert self.do(Trigger.ACKNOWLEDGED) == (self.expected in moves)
        self.expected = moves.get(self.expected, self.expected)

    @precondition(lambda self: KEY in self.alarms.statuses)
    @rule(minutes=st.sampled_from([1, 10, 60]))
    def somebody_shelves(self, minutes):
        moves = self.expected is not AlarmState.OUT_OF_SERVICE
        assert self.do(Trigger.SHELVED, timedelta(minutes=minutes)) == moves
        if moves:
            self.expected, self.shelved_until_s = AlarmState.SHELVED, self.now_s + 60 * minutes

    @precondition(lambda self: KEY in self.alarms.statuses)
    @rule()
    def somebody_unshelves(self):
        moves = self.expected is AlarmState.SHELVED
        status = self.alarms.statuses[KEY]
        assert self.do(Trigger.UNSHELVED) == moves
        if moves:
            caused = self.cause_was_seen
            self.expected = (
                AlarmState.NORMAL if not status.is_active else AlarmState.SUPPRESSED if caused else AlarmState.UNACKNOWLEDGED
            )

    @property
    def cause_was_seen(self) -> bool:
        """At the last look that asked."""
        return self.alarms._watched[KEY].because is not None

    def do(self, trigger: Trigger, shelved_for: timedelta | None = None) -> bool:
        self.commands += 1
        until = self.now + shelved_for if shelved_for else None
        change = self.alarms.do(KEY, Deed(trigger, "M. Ortiz", "why", f"c{self.commands}", until), self.now)
        self.keep([change] if change else [])
        return change is not None

    def keep(self, changes) -> None:
        for change in changes:
            if change.event:
                assert change.event.id not in self.ids, "what happened is told once"
                self.ids.add(change.event.id)
                assert change.event.state is change.status.state
        self.alarms.adopt(changes)

    @rule()
    def the_process_is_killed_and_another_goes_on_with_what_was_kept(self):
        kept = [decode(encode(status)) for status in self.alarms.statuses.values()]
        watched = dict(self.alarms._watched)
        self.alarms = Alarms(IDENTITY, kept, AFTER_S, self.now_s)
        for status in kept:
            is_suppressed = status.state is AlarmState.SUPPRESSED
            assert (self.alarms._watched[KEY].because is not None) == is_suppressed
            assert self.alarms._watched[KEY].delayed.is_active == status.is_active
        self.alarms._watched = watched  # what no process need remember, so that the words above hold after it as before

    @invariant()
    def it_is_in_the_state_that_the_standard_says(self):
        state = self.alarms.statuses[KEY].state if KEY in self.alarms.statuses else AlarmState.NORMAL
        assert state is self.expected

    @invariant()
    def what_is_shelved_says_until_when_and_nothing_else_does(self):
        for status in self.alarms.statuses.values():
            assert (status.shelved_until is not None) == (status.state is AlarmState.SHELVED)
            assert (status.because is not None) == (status.state is AlarmState.SUPPRESSED)
            assert (status.acknowledged_at is None) == (status.acknowledged_by is None)
            assert status.acknowledged_at is None or status.state is not AlarmState.UNACKNOWLEDGED


TestAnAlarm = AnAlarm.TestCase
TestAnAlarm.settings = settings(max_examples=250)
