"""Answers to instructions on their way: from the bus to CAISO and back, kept before and after, never sent twice."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from ads_replies import envelope, fault
from waiting import eventually

from ads_ingest.responding.account import WAITING_MOST, AccountAnswers
from ads_ingest.responding.answer_log import AnswerLog
from ads_ingest.responding.automatic import AutomaticAnswers, Instances
from ads_ingest.responding.commands import SENDING, Asked, Result, event_of, read_command
from ads_ingest.responding.responder import Responder
from ads_ingest.responding.settling import Settling
from ads_ingest.translate import Sender
from caiso.ads import AdsClient
from caiso.ads.errors import TimedOut, Unreachable
from caiso.ads.records import Question, Reply
from dotbus.contracts.codec import decode_as, encode
from dotbus.contracts.messages import (
    Environment,
    InstructionAction,
    InstructionAnswer,
    InstructionAnswered,
    InstructionResponse,
    InstructionResponseReply,
    KnownInstruction,
)
from dotbus.contracts.topics import Topics
from dotbus.runtime.bus_messages import Delivery
from dotbus.runtime.installation import Installation
from dotbus.runtime.outbox import Outbox
from dotbus.runtime.presence import Identity
from dotbus.testing.bus import FakeBus

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TOPICS = Topics()
ACCEPT = TOPICS.respond("north", "R1", "accept")
REPLY = TOPICS.respond_reply("north", "R1", "accept")
PLANTS = [{"name": "north", "resource": [{"id": "R1"}, {"id": "R2"}]}]
RULE = {"name": "small", "resources": ["R*"], "max_mw": 50.0, "dry_run": False}
COMMAND = InstructionResponse(
    environment=Environment.SIMULATOR,
    source="screen/1",
    time=T0,
    batch_uid="H1",
    instruction_uid="H1-R1",
    action=InstructionAction.ACCEPT,
    requested_by="somebody",
    command_id="c1",
)
replace = msgspec.structs.replace


def known(resource_id: str = "R1") -> KnownInstruction:
    return KnownInstruction(
        what="dot",
        standing="in force",
        start_at=T0 + 60 * MINUTE,
        instructed_mw=40.0,
        answer=InstructionAnswer(answer="none", is_open=True, open_until=T0 + 10 * MINUTE),
        instruction_uid=f"H1-{resource_id}",
        batch_uid="H1",
        batch_type=1,
        batch_status=1,
        batch_until=T0 + 120 * MINUTE,
        told_at=T0 - MINUTE,
    )


def code(number: int) -> bytes:
    return envelope("acceptInstruction", str(number))


@dataclass
class Caiso:
    """The response service in memory: `answer` says what it does with a question."""

    answer: Callable[[Question], bytes | Exception] = lambda _question: code(0)
    asked: list[Question] = field(default_factory=list)

    def fetch(self, question: Question) -> Reply:
        self.asked.append(question)
        answer = self.answer(question)
        if isinstance(answer, Exception):
            raise answer
        return Reply(question, 200, answer)


class Bench:
    """A responder with a bus, an outbox on the disk and accounts with a CAISO each."""

    def __init__(
        self, folder: Path, *rules: dict[str, object], name: str = "a", sees: dict[str, set[str]] | None = None
    ) -> None:
        document = {"environment": "simulator", "plant": PLANTS, "automatic_acceptance": list(rules)}
        self.sender = Sender(Installation.model_validate(document), f"ads_ingest/{name}")
        self.folder = folder / name
        self.sees = sees or {"": {"R1", "R2"}}
        self.caiso = {account: Caiso() for account in self.sees}
        self.known: dict[str, tuple[KnownInstruction, ...]] = {each: (known(each),) for each in ("R1", "R2")}
        self.now = T0
        self.monotonic_s = 100.0
        self.is_told = True
        self.start()

    def start(self) -> None:
        clock = lambda: self.now  # noqa: E731  # of this start
        self.bus, self.outcomes, self.let_go = FakeBus(), list[str](), list[int]()
        self.outbox = Outbox(self.folder / "outbox.sqlite", max_age_s=1e9, max_bytes=10**9)
        self.log = AnswerLog(self.outbox, self.sender, committed=lambda: None, clock=clock)
        settling = Settling(self.bus, self.log, self.sender, clock=clock, count=self.outcomes.append)
        accounts = {
            name: AccountAnswers(
                name,
                AdsClient(caiso),
                self.log,
                judge=self.judge,
                settle=settling.settle,
                is_told=lambda _asked: self.is_told,
                let_go=lambda: self.let_go.append(len(self.outcomes)),
            )
            for name, caiso in self.caiso.items()
        }
        instances = Instances(self.sender.source, lambda: self.monotonic_s)

        def automatic(give: Callable[..., None]) -> AutomaticAnswers:
            return AutomaticAnswers(self.log, lambda: self.known, instances, give, lambda: self.monotonic_s)

        self.responder = Responder(
            self.bus,
            self.sender,
            self.log,
            settling,
            judge=self.judge,
            account_of=lambda resource: next((accounts[name] for name, seen in self.sees.items() if resource in seen), None),
            accounts=list(accounts.values()),
            automatic=automatic,
            instances=instances,
            is_shared=True,
        )
        self.bus.start()
        self.monotonic_s += 20.0
        self.responder.start()

    def judge(self, asked: Asked) -> Result | None:
        return self.log.judge(asked, self.known.get(asked.resource_id, ()), self.now)

    def restart(self) -> None:
        self.stop()
        self.start()

    def stop(self) -> None:
        self.responder.stop()
        self.outbox.close()

    def ask(self, topic: str = ACCEPT, response_topic: str = f"{REPLY}/1", correlation: bytes = b"7", **told: object) -> None:
        self.bus.deliver(
            topic, encode(replace(COMMAND, **told)), response_topic=response_topic, correlation=correlation, received_at=T0
        )

    def replies(self) -> list[InstructionResponseReply]:
        return [decode_as(each.payload, InstructionResponseReply) for each in self.bus.published]

    def reply(self, number: int = 1) -> InstructionResponseReply:
        """The how manieth reply, waited for."""
        return eventually(lambda: len(self.bus.published) >= number and self.replies()[number - 1])

    def events(self) -> list[InstructionAnswered]:
        return [decode_as(kept.payload, InstructionAnswered) for kept in self.outbox.events_of("response/")]

    def kept(self) -> list[tuple[str, str | None]]:
        return [(event.outcome, event.refused_by) for event in self.events()]

    def asked(self, account: str = "") -> list[str]:
        return [question.operation for question in self.caiso[account].asked]

    def look(self) -> None:
        """The loop came round, and the responder looked."""
        self.responder.look()
        eventually(lambda: not self.responder._automatic._is_due.is_set())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.stop()


def test_a_command_goes_to_caiso_and_its_result_to_the_requester_and_the_outbox(bench: Bench) -> None:
    bench.ask()
    reply = bench.reply()
    assert (reply.outcome, reply.result_code, reply.command_id) == ("taken", 0, "c1")
    assert (bench.bus.published[0].topic, bench.bus.published[0].correlation) == (f"{REPLY}/1", b"7")
    (question,) = bench.caiso[""].asked
    assert (question.operation, question.batch_uid, question.more) == (
        "acceptInstruction",
        "H1",
        (("instructionUID", "H1-R1"),),
    )
    assert bench.kept() == [("sending", None), ("taken", None)]
    assert bench.events()[1].requested_by == "somebody"
    assert bench.outcomes == ["taken"]
    assert bench.let_go == [0], "a connection does not wait for the next answer, which may be hours away"
    eventually(lambda: bench.bus.acknowledged == [ACCEPT])


def test_decline_and_partial_say_to_caiso_what_they_name(bench: Bench) -> None:
    bench.ask(TOPICS.respond("north", "R1", "decline"), action=InstructionAction.DECLINE, reason_code=11, command_id="d")
    bench.reply()
    told = {"action": InstructionAction.PARTIAL, "accept_dot_mw": 15.0, "reason_code": 13, "command_id": "p"}
    bench.ask(TOPICS.respond("north", "R1", "partial"), **told)
    assert bench.reply(2).outcome == "taken"
    decline, partial = bench.caiso[""].asked
    assert decline.more == (("instructionUID", "H1-R1"), ("reasonCode", "11"))
    assert partial.more == (("instructionUID", "H1-R1"), ("acceptDOT", "15.0"), ("reasonCode", "13"))


def test_that_caiso_is_asked_is_on_the_disk_before_it_is(bench: Bench) -> None:
    seen: list[list[tuple[str, str | None]]] = []

    def answer(_question: Question) -> bytes:
        seen.append(bench.kept())
        return code(0)

    bench.caiso[""].answer = answer
    bench.ask()
    bench.reply()
    assert seen == [[("sending", None)]]


def test_what_a_check_refuses_never_reaches_caiso_and_is_kept(bench: Bench) -> None:
    bench.ask(instruction_uid="another")
    assert bench.reply().refused_by == "instruction"
    assert bench.asked() == []
    assert bench.kept() == [("refused", "instruction")]


def test_what_cannot_be_read_is_answered_and_not_kept(bench: Bench) -> None:
    bench.bus.deliver(ACCEPT, b"{}", response_topic=f"{REPLY}/1", correlation=b"1")
    assert (bench.reply().outcome, bench.reply().refused_by) == ("refused", "message")
    assert bench.kept() == []


def test_a_retained_command_is_passed_over(bench: Bench) -> None:
    bench.bus.deliver(ACCEPT, encode(COMMAND), retained=True)
    bench.ask(command_id="c2")
    assert bench.reply().command_id == "c2"
    assert len(bench.asked()) == 1


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 77])
def test_caisos_refusal_comes_with_its_code_and_in_words(bench: Bench, number: int) -> None:
    bench.caiso[""].answer = lambda _question: code(number)
    bench.ask()
    reply = bench.reply()
    assert (reply.outcome, reply.refused_by, reply.result_code) == ("refused", "caiso", number)
    assert reply.detail.startswith("CAISO refuses: ")
    assert bench.kept() == [("sending", None), ("refused", "caiso")]


QUESTION = Question("acceptInstruction", "H1")


def test_when_there_is_no_connection_to_caiso_the_requester_hears_at_once_that_nothing_was_sent(bench: Bench) -> None:
    bench.caiso[""].answer = lambda _question: Unreachable(QUESTION, "refused", is_unsent=True)
    bench.ask()
    assert (bench.reply().outcome, bench.reply().refused_by) == ("refused", "unreachable")


@pytest.mark.parametrize(
    "answer", [Unreachable(QUESTION, "reset"), TimedOut(QUESTION, "no reply"), b"no soap", fault("ADS is busy")]
)
def test_when_caiso_was_asked_and_says_nothing_usable_nobody_knows_and_the_same_command_is_not_sent_again(
    bench: Bench, answer: bytes | Exception
) -> None:
    bench.caiso[""].answer = lambda _question: answer
    bench.ask()
    assert (bench.reply().outcome, bench.reply().result_code) == ("unknown", None)
    bench.ask()
    assert bench.reply(2).outcome == "unknown"
    assert len(bench.asked()) == 1
    bench.caiso[""].answer = lambda _question: code(0)
    bench.ask(command_id="c2")
    assert bench.reply(3).outcome == "taken", "somebody may decide to ask anew"


def test_a_batch_that_caiso_does_not_know_is_a_refusal(bench: Bench) -> None:
    bench.caiso[""].answer = lambda _question: fault("batchUID H1 not found")
    bench.ask()
    assert (bench.reply().outcome, bench.reply().refused_by) == ("refused", "caiso")


def test_the_same_command_again_gets_the_same_answer_after_a_restart_too_without_asking_caiso(bench: Bench) -> None:
    bench.ask()
    first = bench.reply()
    bench.ask(response_topic=f"{REPLY}/2", correlation=b"8")
    again = bench.reply(2)
    assert (again.outcome, again.detail) == (first.outcome, first.detail)
    assert bench.bus.published[1].correlation == b"8"
    bench.restart()
    bench.ask()
    assert bench.reply().outcome == "taken"
    assert bench.asked() == ["acceptInstruction"]
    assert bench.kept() == [("sending", None), ("taken", None)]


def test_the_same_command_while_caiso_is_asked_is_answered_together_with_the_first(bench: Bench) -> None:
    go_on = threading.Event()
    bench.caiso[""].answer = lambda _question: code(0) if go_on.wait(10) else code(1)
    bench.ask(correlation=b"1")
    eventually(bench.asked)
    bench.ask(correlation=b"2", response_topic=f"{REPLY}/2")
    eventually(lambda: len(bench.bus.acknowledged) == 2)
    go_on.set()
    bench.reply(2)
    assert {(each.topic, each.correlation) for each in bench.bus.published} == {(f"{REPLY}/1", b"1"), (f"{REPLY}/2", b"2")}
    assert {reply.outcome for reply in bench.replies()} == {"taken"}
    assert len(bench.asked()) == 1


def test_after_a_crash_between_asking_and_the_result_nobody_knows_and_it_is_not_sent_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    delivery = Delivery(ACCEPT, encode(COMMAND), retained=False, received_at=T0)
    asked = read_command(delivery, TOPICS)
    assert isinstance(asked, Asked)
    bench.log.keep(asked, Result(SENDING, "-"))  # and then the process was killed
    bench.restart()
    assert [event.outcome for event in bench.events()] == ["sending", "unknown"]
    bench.ask()
    reply = bench.reply()
    assert (reply.outcome, bench.asked()) == ("unknown", [])
    assert "the process ended" in reply.detail
    bench.restart()
    assert [event.outcome for event in bench.events()] == ["sending", "unknown"], "said once"
    bench.stop()


def test_when_nothing_can_be_kept_nothing_is_sent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_named: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(bench.outbox, "commit", full)
    bench.ask()
    assert (bench.reply().outcome, bench.reply().refused_by) == ("refused", "outbox")
    assert bench.asked() == []


def test_when_other_instances_cannot_be_told_nothing_is_sent(bench: Bench) -> None:
    bench.is_told = False
    bench.ask()
    assert (bench.reply().outcome, bench.reply().refused_by) == ("refused", "broker")
    assert bench.asked() == []
    assert bench.kept() == [("sending", None), ("refused", "broker")]


def test_others_are_told_once_the_broker_has_the_event(bench: Bench) -> None:
    delivery = Delivery(ACCEPT, encode(COMMAND), retained=False, received_at=T0)
    asked = read_command(delivery, TOPICS)
    assert isinstance(asked, Asked)
    bench.log.keep(asked, Result(SENDING, "-"))
    assert not bench.log.is_told(asked, within_s=0.0)
    bench.outbox.mark_published([bench.outbox.events_of("response/")[0].number])
    assert bench.log.is_told(asked, within_s=0.0)


def test_when_too_many_wait_the_next_is_refused_at_once_and_those_before_it_are_answered(bench: Bench) -> None:
    go_on = threading.Event()
    bench.caiso[""].answer = lambda _question: code(0) if go_on.wait(20) else code(1)
    bench.ask(command_id="first")
    eventually(bench.asked)
    for number in range(WAITING_MOST):
        bench.ask(command_id=f"w{number}", **({"accept_dot_mw": 40.0} if number % 2 else {}))
    bench.ask(command_id="too many")
    reply = bench.reply()
    assert (reply.command_id, reply.outcome, reply.refused_by) == ("too many", "refused", "busy")
    go_on.set()
    bench.reply(WAITING_MOST + 2)
    outcomes = [reply.outcome for reply in bench.replies()]
    assert outcomes.count("taken") == 1
    assert {reply.refused_by for reply in bench.replies() if reply.outcome == "refused"} == {"busy", "repeated"}
    assert len(bench.asked()) == 1, "what was answered meanwhile is not sent once more"


def test_what_waited_too_long_is_judged_again_before_it_is_sent(bench: Bench) -> None:
    go_on = threading.Event()
    bench.caiso[""].answer = lambda _question: code(0) if go_on.wait(20) else code(1)
    bench.ask()
    eventually(bench.asked)
    bench.ask(TOPICS.respond("north", "R2", "accept"), instruction_uid="H1-R2", command_id="c2", response_topic="-")
    eventually(lambda: len(bench.bus.acknowledged) == 2)
    bench.now = T0 + 11 * MINUTE
    go_on.set()
    assert [bench.reply(1).outcome, bench.reply(2).refused_by] == ["taken", "expired"]
    assert len(bench.asked()) == 1


def test_a_slow_account_holds_back_no_other_and_each_answers_what_it_sees(tmp_path: Path) -> None:
    bench = Bench(tmp_path, sees={"east": {"R1"}, "west": {"R2"}})
    go_on = threading.Event()
    bench.caiso["east"].answer = lambda _question: code(0) if go_on.wait(20) else code(1)
    bench.ask()
    eventually(lambda: bench.asked("east"))
    bench.ask(TOPICS.respond("north", "R2", "accept"), instruction_uid="H1-R2", command_id="c2", response_topic="-")
    assert bench.reply().instruction_uid == "H1-R2"
    assert bench.asked("west") == ["acceptInstruction"]
    go_on.set()
    assert bench.reply(2).outcome == "taken"
    bench.stop()


def test_a_resource_that_no_account_sees_is_refused_as_such(tmp_path: Path) -> None:
    bench = Bench(tmp_path, sees={"east": {"R2"}, "west": set()})
    bench.ask()
    assert bench.reply().refused_by == "account"
    bench.stop()


def test_a_stop_waits_for_caisos_answer_and_refuses_what_waits(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    go_on = threading.Event()
    bench.caiso[""].answer = lambda _question: code(0) if go_on.wait(20) else code(1)
    bench.ask()
    eventually(bench.asked)
    bench.ask(TOPICS.respond("north", "R2", "accept"), instruction_uid="H1-R2", command_id="c2", response_topic="-")
    eventually(lambda: len(bench.bus.acknowledged) == 2)
    threading.Timer(0.1, go_on.set).start()
    bench.responder.stop()
    assert {reply.command_id: (reply.outcome, reply.refused_by) for reply in bench.replies()} == {
        "c1": ("taken", None),
        "c2": ("refused", "busy"),
    }
    bench.outbox.close()


def test_what_another_instance_answered_is_not_answered_again_by_this_one(bench: Bench) -> None:
    delivery = Delivery(ACCEPT, encode(COMMAND), retained=False, received_at=T0)
    asked = read_command(delivery, TOPICS)
    assert isinstance(asked, Asked)
    other = Sender(bench.sender.installation, "ads_ingest/b")
    for result, said in ((Result(SENDING, "-"), "unknown"), (Result("taken", "done", result_code=0), "taken")):
        event = replace(event_of(asked, result, other, T0), stream="s", seq=1)
        bench.bus.deliver(TOPICS.response("north", "R1"), encode(event))
        bench.ask()
        assert bench.reply(len(bench.bus.published) + 1).outcome == said
    assert bench.asked() == []


def test_a_broker_that_takes_no_reply_stops_nothing(bench: Bench) -> None:
    bench.bus.forbidden.add(f"{REPLY}/1")
    bench.ask()
    eventually(lambda: bench.outcomes == ["taken"])
    bench.ask(response_topic=f"{REPLY}/2")
    assert bench.reply().outcome == "taken"


def test_a_rule_accepts_by_itself_once_and_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RULE | {"resources": ["R1"]})
    bench.look()
    eventually(lambda: bench.outcomes == ["taken"])
    bench.look()
    assert bench.asked() == ["acceptInstruction"]
    assert [(event.rule, event.outcome) for event in bench.events()] == [("small", "sending"), ("small", "taken")]
    bench.restart()
    bench.look()
    assert bench.asked() == ["acceptInstruction"]
    bench.stop()


def test_a_dry_run_is_kept_once_and_asks_caiso_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RULE | {"dry_run": True})
    bench.look()
    bench.look()
    assert [(event.resource_id, event.outcome) for event in bench.events()] == [("R1", "dry-run"), ("R2", "dry-run")]
    assert bench.asked() == []
    bench.stop()


def test_a_rules_answer_goes_to_caiso_while_the_broker_is_away(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RULE | {"resources": ["R1"]})
    bench.is_told = False
    bench.look()
    eventually(lambda: bench.outcomes == ["taken"])
    assert bench.asked() == ["acceptInstruction"]
    bench.stop()


def test_without_a_rule_nothing_is_accepted(bench: Bench) -> None:
    bench.look()
    assert (bench.asked(), bench.kept()) == ([], [])


def test_a_rules_answer_that_finds_no_connection_is_given_again_and_kept_when_it_got_through(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RULE | {"resources": ["R1"]})
    bench.caiso[""].answer = lambda _question: Unreachable(QUESTION, "refused", is_unsent=True)
    bench.look()
    eventually(lambda: len(bench.asked()) == 1)
    bench.caiso[""].answer = lambda _question: code(0)

    def taken() -> bool:
        bench.look()
        return bench.outcomes == ["taken"]

    eventually(taken)
    assert bench.kept() == [("sending", None), ("taken", None)]
    assert len(bench.asked()) == 2
    bench.stop()


def online(name: str, *, is_online: bool = True) -> bytes:
    identity = Identity("ads_ingest", name, Environment.SIMULATOR, T0)
    return encode(identity.status(T0, online=is_online))


def test_an_instance_gives_a_rules_answer_when_it_heard_nothing_of_the_one_that_comes_before_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RULE | {"resources": ["R1"], "dry_run": True}, name="b")
    bench.bus.deliver(TOPICS.service("ads_ingest", "a"), online("a"), retained=True)
    bench.responder.look()
    eventually(lambda: bench.responder._automatic._since_s)
    assert bench.kept() == []
    bench.monotonic_s += 6.0
    eventually(lambda: bench.kept() == [("dry-run", None)])
    bench.stop()


def test_an_instance_waits_for_nobody_who_is_offline_or_comes_after_it() -> None:
    now_s = [0.0]
    instances = Instances("ads_ingest/b", lambda: now_s[0])
    assert instances.wait_s is None, "nobody knows yet who is there"
    now_s[0] = 10.0
    for name, is_online in (("a", True), ("b", True), ("c", True), ("aa", False)):
        instances.note(Delivery(TOPICS.service("ads_ingest", name), online(name, is_online=is_online), True, T0))  # noqa: FBT003
    assert instances.wait_s == 5.0
    instances.note(Delivery(TOPICS.service("ads_ingest", "a"), online("a", is_online=False), False, T0))  # noqa: FBT003
    assert instances.wait_s == 0.0
    instances.note_connection(False)  # noqa: FBT003
    assert instances.wait_s is None
