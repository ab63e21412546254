"""The whole service beside a model of it that is told in few words, by seconds that nobody can set.

Services come and go, people command, the disk fills, the clock is set and the process is killed, in any order: the alarms on
disk are always those of the model, each command has one reply, and what happened is numbered without gaps.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from alarms_desk import Desk
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dotbus.contracts.alarms import AlarmPriority

ON_S, OFF_S = 2, 3
CONFIG = f"""
[alarms]
suppress_after_s = 0.0
[alarms.broker_lost]
enabled = false
[alarms.clock_wrong]
enabled = false
[alarms.service_down]
on_delay_s = {ON_S}.0
off_delay_s = {OFF_S}.0
"""
NAMES = ("ads_ingest/a", "lmp_ingest/a")
names = st.sampled_from(NAMES)


@dataclass
class Alarm:
    """What the standard says of one alarm, and nothing else."""

    state: str = "normal"
    holds: bool = False
    kept_holds: bool = False
    other_since_s: int | None = None
    shelf_ends_s: int = 0
    raised: int = 0
    is_kept: bool = False

    def look(self, now_s: int, *, down: bool | None, may_keep: bool) -> None:
        if down is None or down is self.holds:
            self.other_since_s = None
        else:
            self.other_since_s = now_s if self.other_since_s is None else self.other_since_s
            if now_s - self.other_since_s >= (ON_S if down else OFF_S):
                self.holds, self.other_since_s = down, None
        if not may_keep:
            return
        before = self.state
        self.state = self.next(now_s)
        self.is_kept |= self.state != before
        self.kept_holds = self.holds and self.is_kept
        if self.state == "unacknowledged" != before:
            self.raised += 1

    def next(self, now_s: int) -> str:
        match self.state, self.holds:
            case "shelved", holds:
                if now_s < self.shelf_ends_s:
                    return "shelved"
                return "unacknowledged" if holds else "normal"
            case "normal" | "returned-unacknowledged", True:
                return "unacknowledged"
            case "unacknowledged", False:
                return "returned-unacknowledged"
            case "acknowledged", False:
                return "normal"
        return self.state

    def command(self, action: str, now_s: int, minutes: int) -> bool:
        """Whether it is taken."""
        acknowledged = {"unacknowledged": "acknowledged", "returned-unacknowledged": "normal"}
        if action == "acknowledge" and self.state in acknowledged:
            self.state = acknowledged[self.state]
        elif action == "shelve" and self.is_kept:
            self.state, self.shelf_ends_s = "shelved", now_s + 60 * minutes
        elif action == "unshelve" and self.state == "shelved":
            self.state = "unacknowledged" if self.kept_holds else "normal"
            self.raised += self.kept_holds
        else:
            return False
        return True


class TheService(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.desk = Desk(Path(self.folder.name), CONFIG)
        self.model = {name: Alarm() for name in NAMES}
        self.is_down = dict.fromkeys(NAMES, False)
        self.connected = True
        self.disk_is_full = False
        self.commands = 0
        self.last: tuple[str, str, dict[str, object], int] | None = None
        self.desk.connect()
        self.tick()

    def teardown(self) -> None:
        self.desk.close()
        self.folder.cleanup()

    @property
    def now_s(self) -> int:
        return round(self.desk.now_s)

    def tick(self, step_s: float = 0.0) -> None:
        """A second, in which each service says how it is, and a look."""
        if self.connected:
            for name in NAMES:
                self.desk.service_says(name, online=not self.is_down[name])
        self.desk.passes(1, wall_s=1 + step_s)
        for name in NAMES:
            down = self.is_down[name] if self.connected else None
            self.model[name].look(self.now_s, down=down, may_keep=not self.disk_is_full)

    @rule(name=names, down=st.booleans())
    def a_service_goes_or_comes(self, name, down):
        self.is_down[name] = down

    @rule(seconds=st.sampled_from([1, 2, 5, 61]))
    def time_passes(self, seconds):
        for _ in range(seconds):
            self.tick()

    @rule(step_s=st.sampled_from([3600.0, -3600.0, 40.0, -40.0, 0.3]))
    def the_clock_is_set(self, step_s):
        self.tick(step_s)

    @rule(connected=st.booleans())
    def the_broker_comes_or_goes(self, connected):
        if connected != self.connected:
            self.connected = connected
            self.desk.connect(connected=connected)

    @rule(full=st.booleans())
    def the_disk_is_full_or_not(self, full):
        self.disk_is_full = full
        (self.desk.fill_disk if full else self.desk.free_disk)()
        self.tick()

    @rule(name=names, action=st.sampled_from(["acknowledge", "shelve", "unshelve"]), minutes=st.sampled_from([1, 2]))
    def somebody_commands(self, name, action, minutes):
        self.commands += 1
        more = {"command_id": f"c{self.commands}", **({"comment": "why", "shelve_min": minutes} if action == "shelve" else {})}
        is_taken = not self.disk_is_full and self.model[name].command(action, self.now_s, minutes)
        self.say(name, action, more, is_taken=is_taken)
        self.last = (name, action, more, self.model[name].raised) if is_taken else None

    @precondition(lambda self: self.last is not None)
    @rule()
    def somebody_says_it_once_more(self):
        name, action, more, raised = self.last
        alarm = self.model[name]
        is_so = {
            "acknowledge": alarm.raised == raised,
            "shelve": alarm.state == "shelved",
            "unshelve": alarm.state != "shelved",
        }
        self.say(name, action, more, is_taken=is_so[action])

    def say(self, name, action, more, *, is_taken: bool) -> None:
        before = len(self.desk.replies)
        reply = self.desk.command(action, ("installation", name, "service-down"), **more)
        assert len(self.desk.replies) == before + 1, "each command has one reply"
        assert (reply.outcome == "taken") == is_taken, reply.detail
        assert reply.command_id == more["command_id"]

    @rule()
    def it_is_killed_and_another_process_goes_on(self):
        now, now_s = self.desk.now, self.desk.now_s
        self.desk.close()
        self.desk = Desk(Path(self.folder.name), CONFIG, now=now, now_s=now_s)
        self.disk_is_full = False
        self.connected = True
        for alarm in self.model.values():
            alarm.holds, alarm.other_since_s = alarm.kept_holds, None
        self.desk.connect()
        self.tick()

    @invariant()
    def the_alarms_on_disk_are_those_of_the_model(self):
        for name, alarm in self.model.items():
            status = self.desk.alarms.statuses.get(("installation", name, "service-down"))
            assert (status.state if status else "normal") == alarm.state
            assert (status is not None) == alarm.is_kept
            if status:
                assert self.desk.alarm(("installation", name, "service-down")) == status

    @invariant()
    def an_operator_is_told_as_many_as_there_are(self):
        if self.disk_is_full:
            return
        states = [alarm.state for alarm in self.model.values()]
        said = self.desk.summary()
        (high,) = (one for one in said.counts if one.priority is AlarmPriority.HIGH)
        assert high.unacknowledged == sum(one in {"unacknowledged", "returned-unacknowledged"} for one in states)
        assert high.active == sum(one in {"unacknowledged", "acknowledged"} for one in states)
        assert said.shelved == states.count("shelved")
        assert said.valid_until > self.desk.now

    @invariant()
    def what_happened_is_numbered_without_gaps(self):
        events = self.desk.events()
        assert [one.seq for one in events] == list(range(1, len(events) + 1))
        assert len({one.id for one in events}) == len(events)


TestTheService = TheService.TestCase
TestTheService.settings = settings(max_examples=10, stateful_step_count=25, deadline=None)
