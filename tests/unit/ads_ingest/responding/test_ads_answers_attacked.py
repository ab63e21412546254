"""Commands, rules, restarts and a broken CAISO in any order over two instances: what must hold whatever comes.

CAISO is asked once for an answer unless somebody asks anew, no rule speaks over somebody, and each command has one result.
"""

import shutil
import tempfile
from collections import Counter
from pathlib import Path

import msgspec
from answering_bench import COMMAND, MINUTE, RULE, T0, TOPICS, Bench, Broker, code, known
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from waiting import eventually

from ads_ingest.responding.commands import ELSEWHERE, REFUSED, SENDING, TAKEN, UNKNOWN, Asked, Result, read_command
from caiso.ads.errors import TimedOut, Unreachable
from caiso.ads.records import Question
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import InstructionAction, InstructionAnswered
from dotbus.runtime.mqtt.messages import Delivery

NAMES = ("a", "b")
RESOURCES = ("R1", "R2")
BY_RULE = RULE | {"resources": ["R*"]}
ACTIONS = {
    InstructionAction.ACCEPT: {},
    InstructionAction.DECLINE: {"reason_code": 11},
    InstructionAction.PARTIAL: {"reason_code": 13, "accept_dot_mw": 15.0},
}
BROKEN = {
    "takes it": lambda question: code(question, 0),
    "refuses it": lambda question: code(question, 1),
    "says nothing": lambda question: TimedOut(question, "no reply"),
    "answers something else": lambda _question: code("getBatchStatus", 0),
    "is not there": lambda question: Unreachable(question, "refused", is_unsent=True),
}


class Attack(RuleBasedStateMachine):
    """Two instances that are real but for the network."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.broker = Broker()
        self.reached = 0
        self.how = "takes it"
        self.minutes = 0
        self.killed: set[str] = set()
        self.away: set[str] = set()
        self.benches = {name: Bench(self.folder, BY_RULE, name=name, broker=self.broker) for name in NAMES}
        for bench in self.benches.values():
            bench.caiso[""].answer = self.caiso

    def caiso(self, question: Question) -> bytes | Exception:
        self.reached += self.how != "is not there"
        return BROKEN[self.how](question)

    @rule(how=st.sampled_from(sorted(BROKEN)))
    def caiso_turns(self, how: str) -> None:
        self.how = how

    @rule(
        name=st.sampled_from(NAMES),
        resource=st.sampled_from(RESOURCES),
        actions=st.lists(st.sampled_from(sorted(ACTIONS)), min_size=1, max_size=2),
        number=st.integers(1, 4),
    )
    def somebody_asks(self, name: str, resource: str, actions: list[InstructionAction], number: int) -> None:
        """The same id may come again, to either instance or to both at once, with the same content or another."""
        names = (name, *(each for each in NAMES if each != name))
        to = [(self.benches[each], action) for each, action in zip(names, actions, strict=False) if each not in self.away]
        if len(to) > 1:
            self.broker.hold()
        for bench, action in to:
            before = len(bench.bus.acknowledged)
            bench.ask(response_topic="-", **self.command(resource, action, number))
            eventually(lambda bench=bench, before=before: len(bench.bus.acknowledged) > before)
        self.broker.release()
        self.settle()

    def command(self, resource: str, action: InstructionAction, number: int) -> dict[str, object]:
        now = self.benches["a"].now
        uid = {"instruction_uid": f"H1-{resource}", "command_id": f"{resource}-{number}"}
        return {"topic": TOPICS.respond("north", resource, action), "action": action, "time": now, **uid, **ACTIONS[action]}

    @rule(name=st.sampled_from(NAMES))
    def the_loop_comes_round(self, name: str) -> None:
        if name not in self.away:
            self.benches[name].look()
            self.settle()

    @rule(name=st.sampled_from(NAMES))
    def an_instance_stops_or_starts(self, name: str) -> None:
        if name in self.away:
            self.benches[name].start()
            self.away.discard(name)
        else:
            self.benches[name].stop()
            self.away.add(name)

    @rule(name=st.sampled_from(NAMES), action=st.sampled_from(sorted(ACTIONS)))
    def an_instance_is_killed_before_it_asks(self, name: str, action: InstructionAction) -> None:
        if name in self.away:
            return
        bench, number = self.benches[name], 100 + len(self.killed)
        told = self.command("R1", action, number)
        payload = encode(msgspec.structs.replace(COMMAND, **{key: told[key] for key in told if key != "topic"}))
        asked = read_command(Delivery(str(told["topic"]), payload, retained=False, received_at=T0), TOPICS)
        assert isinstance(asked, Asked)
        self.killed.add(asked.id)
        bench.log.keep(asked, Result(SENDING, "-"))
        bench.restart()

    @rule()
    def caiso_says_the_same_again(self) -> None:
        """As it does after a restart, and while it does not show yet what was answered."""
        self.minutes = min(self.minutes + 1, 9)
        for bench in self.benches.values():
            bench.now = T0 + self.minutes * MINUTE
            for resource in RESOURCES:
                bench.known[resource] = (msgspec.structs.replace(known(resource), told_at=bench.now),)

    def settle(self) -> None:
        """Until everything that was begun has come to an end."""
        for bench in (self.benches[name] for name in NAMES if name not in self.away):
            eventually(lambda bench=bench: bench.settling.is_idle)

    def said(self) -> list[InstructionAnswered]:
        """What the instances said, each event once."""
        return list({event.id: event for event in self.broker.said}.values()) if hasattr(self, "broker") else []

    @invariant()
    def no_rule_spoke_over_somebody(self) -> None:
        spoken: set[str] = set()
        for event in self.said():
            has_reached = event.outcome in {TAKEN, UNKNOWN}
            if event.rule is not None:
                assert not (has_reached and event.instruction_uid in spoken), f"{event.id} speaks over somebody"
            elif has_reached or (event.outcome == REFUSED and event.action != InstructionAction.ACCEPT):
                spoken.add(event.instruction_uid)

    @invariant()
    def caiso_was_asked_once_for_each_command(self) -> None:
        came = [event for event in self.said() if event.outcome in {TAKEN, UNKNOWN} or event.refused_by == "caiso"]
        ids = Counter(event.command_id for event in came if event.command_id not in self.killed)
        assert not came or self.reached == len(ids), (self.reached, ids)

    @invariant()
    def each_command_has_one_result(self) -> None:
        results: dict[str, set[str]] = {}
        for event in self.said():
            if event.outcome not in {SENDING, ELSEWHERE}:
                results.setdefault(event.command_id, set()).add(event.outcome)
        assert all(len(outcomes) == 1 for outcomes in results.values()), results

    def teardown(self) -> None:
        for name in NAMES if hasattr(self, "benches") else ():
            if name not in self.away:
                self.benches[name].stop()
            shutil.rmtree(self.folder / name)


Attack.TestCase.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
test_whatever_comes_caiso_is_asked_once_and_no_rule_speaks_over_somebody = Attack.TestCase
