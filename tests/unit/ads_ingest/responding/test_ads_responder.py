"""Answers to instructions on their way: from the bus to CAISO and back, kept before and after, never sent twice."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ads_replies import fault
from answering_bench import (
    ACCEPT,
    COMMAND,
    MINUTE,
    REPLY,
    RULE,
    T0,
    TOPICS,
    Bench,
    Broker,
    replace,
    status,
)
from answering_bench import code as code_of
from waiting import eventually

from ads_ingest.responding.account import WAITING_MOST
from ads_ingest.responding.answer_log import Claim
from ads_ingest.responding.automatic import Instances
from ads_ingest.responding.commands import SENDING, Asked, Result, event_of, read_command
from ads_ingest.translate import Sender
from caiso.ads.errors import TimedOut, Unreachable, Unsendable
from caiso.ads.records import Question
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import (
    InstructionAction,
    InstructionAnswered,
)
from dotbus.runtime.mqtt.messages import Delivery


def code(number: int) -> bytes:
    return code_of("acceptInstruction", number)


def command(**told: object) -> Asked:
    asked = read_command(Delivery(ACCEPT, encode(replace(COMMAND, **told)), retained=False, received_at=T0), TOPICS)
    assert isinstance(asked, Asked)
    return asked


def elsewhere(bench: Bench, outcome: str, name: str = "b", **told: object) -> InstructionAnswered:
    """What another instance says becomes of a command, brought by the broker."""
    other = Sender(bench.sender.installation, f"ads_ingest/{name}")
    event = replace(event_of(command(**told), Result(outcome, "said elsewhere"), other, bench.now), stream="s", seq=1)
    bench.broker.say(TOPICS.response("north", "R1"), encode(event))
    return event


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


def test_whom_a_gateway_asks_for_is_kept_with_what_became_of_it(bench: Bench) -> None:
    bench.ask(asked_by="CN=scada-1", asked_from="10.20.0.5")
    assert bench.reply().outcome == "taken"
    assert [(each.asked_by, each.asked_from) for each in bench.events()] == [("CN=scada-1", "10.20.0.5")] * 2


@pytest.mark.parametrize("name", ["asked_by", "asked_from"])
@pytest.mark.parametrize("told", ["n" * 201, "a\nb"])
def test_whom_a_gateway_asks_for_has_a_name_that_can_be_kept(bench: Bench, name: str, told: str) -> None:
    bench.ask(**{name: told})
    assert (bench.reply().outcome, bench.reply().refused_by) == ("refused", "message")
    assert name in bench.reply().detail
    assert bench.caiso[""].asked == []


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


def test_a_retained_command_is_refused_in_words_and_never_sent(bench: Bench) -> None:
    """It would come again at each start."""
    bench.bus.deliver(ACCEPT, encode(COMMAND), retained=True, response_topic=f"{REPLY}/1", correlation=b"7")
    reply = bench.reply()
    assert (reply.outcome, reply.refused_by) == ("refused", "message")
    assert "retain" in reply.detail
    assert (bench.asked(), bench.kept()) == ([], [])


def test_that_a_retained_command_is_taken_back_is_no_command(bench: Bench) -> None:
    bench.bus.deliver(ACCEPT, b"", retained=True)
    bench.ask(command_id="c2")
    assert bench.reply().command_id == "c2"


@pytest.mark.parametrize("action", ["", "ACCEPT", "re%2Fply"])
def test_an_action_that_is_none_is_refused_in_words_below_its_own_topic(bench: Bench, action: str) -> None:
    topic = f"{TOPICS.root}/plant/north/R1/command/{action}"
    bench.bus.deliver(topic, encode(COMMAND))
    reply = bench.reply()
    assert reply.outcome == "refused"
    assert "fault" not in reply.detail
    assert bench.bus.published[0].topic == f"{topic}/reply"


def test_a_resource_without_a_name_is_refused_in_words(bench: Bench) -> None:
    bench.bus.deliver(f"{TOPICS.root}/plant/north//command/accept", encode(COMMAND))
    assert (bench.reply().refused_by, "resource" in bench.reply().detail) == ("message", True)


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


def test_what_caiso_could_not_read_is_refused_as_a_message_which_no_rule_tries_again(bench: Bench) -> None:
    bench.caiso[""].answer = lambda _question: Unsendable(QUESTION, "acceptDOT is nan, which is no number")
    bench.ask()
    assert (bench.reply().outcome, bench.reply().refused_by) == ("refused", "message")


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
    bench.log.keep(command(), Result(SENDING, "-"))  # and then the process was killed
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


def test_caiso_is_asked_once_the_broker_has_brought_back_that_it_is_to_be_asked(bench: Bench) -> None:
    bench.broker.hold()
    bench.ask()
    eventually(lambda: bench.kept() == [("sending", None)])
    assert bench.asked() == []
    bench.broker.release()
    assert bench.reply().outcome == "taken"
    assert bench.log.claim(command(command_id="another"), 0.0, 0.0) is Claim.ELSEWHERE, (
        "of what was never begun nothing is sent"
    )


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
    elsewhere(bench, "taken")
    bench.ask()
    assert bench.reply().outcome == "taken"
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

    bench.look()
    assert len(bench.asked()) == 1, "not at once"
    bench.now = T0 + MINUTE
    bench.look()
    eventually(lambda: bench.outcomes == ["refused", "taken"])
    assert bench.kept() == [("sending", None), ("refused", "unreachable"), ("sending", None), ("taken", None)]
    assert len(bench.asked()) == 2
    bench.stop()


def test_an_instance_gives_a_rules_answer_when_it_heard_nothing_of_the_one_that_comes_before_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RULE | {"resources": ["R1"], "dry_run": True}, name="b")
    bench.bus.deliver(TOPICS.service("ads_ingest", "a"), status("a"), retained=True)
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
        instances.note(Delivery(TOPICS.service("ads_ingest", name), status(name, is_online=is_online), True, T0))  # noqa: FBT003
    assert instances.wait_s == 5.0
    instances.note(Delivery(TOPICS.service("ads_ingest", "a"), status("a", is_online=False), False, T0))  # noqa: FBT003
    assert instances.wait_s == 0.0
    instances.note_connection(False)  # noqa: FBT003
    assert instances.wait_s is None


def test_another_content_under_an_id_that_is_under_way_is_refused_at_once_and_the_same_content_joins(bench: Bench) -> None:
    go_on = threading.Event()
    bench.caiso[""].answer = lambda _question: code(0) if go_on.wait(10) else code(1)
    bench.ask()
    eventually(bench.asked)
    bench.ask(action=InstructionAction.DECLINE, reason_code=11)
    refused = bench.reply()
    assert (refused.outcome, refused.refused_by) == ("refused", "message")
    assert "another command had this command_id" in refused.detail
    bench.ask()
    eventually(lambda: len(bench.bus.acknowledged) == 3)
    go_on.set()
    assert [bench.reply(2).outcome, bench.reply(3).outcome] == ["taken", "taken"]
    assert bench.asked() == ["acceptInstruction"]


DECLINE = {"action": InstructionAction.DECLINE, "reason_code": 11, "command_id": "no"}


def test_no_rule_accepts_what_somebody_declined_whatever_caiso_shows_and_after_a_restart_with_other_rules(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.ask(**DECLINE)
    assert bench.reply().outcome == "taken"
    bench.now = T0 + MINUTE
    bench.restart(RULE | {"resources": ["R1"]})
    again = replace(bench.known["R1"][0], told_at=bench.now)
    changed = replace(again, revision_number=2, instructed_mw=20.0)
    for shown in (again, changed):
        bench.known["R1"] = (shown,)
        bench.look()
    assert bench.asked() == ["declineInstruction"]
    bench.stop()


@pytest.mark.parametrize("broken", [TimedOut(Question("declineInstruction", "H1"), "no reply"), fault("ADS is busy")])
def test_no_rule_accepts_what_somebody_may_have_declined(tmp_path: Path, broken: bytes | Exception) -> None:
    bench = Bench(tmp_path, RULE | {"resources": ["R1"]})
    bench.caiso[""].answer = lambda _question: broken
    bench.ask(**DECLINE)
    assert bench.reply().outcome == "unknown"
    bench.look()
    bench.restart()
    bench.look()
    assert bench.asked() == ["declineInstruction"]
    bench.stop()


def test_no_rule_accepts_what_somebody_tried_to_decline_and_did_not_get_through(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RULE | {"resources": ["R1"]})
    bench.caiso[""].answer = lambda question: Unreachable(question, "refused", is_unsent=True)
    bench.ask(**DECLINE)
    assert bench.reply().refused_by == "unreachable"
    bench.look()
    assert bench.asked() == ["declineInstruction"]
    bench.stop()


def test_no_rule_accepts_while_somebodys_decline_waits_or_caiso_is_asked_for_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RULE | {"resources": ["R1"]})
    go_on = threading.Event()
    bench.caiso[""].answer = lambda question: code_of(question, 0 if go_on.wait(10) else 1)
    bench.ask(TOPICS.respond("north", "R2", "accept"), instruction_uid="H1-R2", command_id="slow")
    eventually(bench.asked)
    bench.ask(**DECLINE)
    eventually(lambda: len(bench.bus.acknowledged) == 2)
    bench.look()
    go_on.set()
    bench.reply(2)
    bench.look()
    assert bench.asked() == ["acceptInstruction", "declineInstruction"]
    bench.stop()


def test_a_rules_answer_that_waits_is_not_sent_once_somebody_declines(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RULE | {"resources": ["R1"]})
    go_on = threading.Event()
    bench.caiso[""].answer = lambda question: code_of(question, 0 if go_on.wait(10) else 1)
    bench.ask(TOPICS.respond("north", "R2", "accept"), instruction_uid="H1-R2", command_id="slow")
    eventually(bench.asked)
    bench.look()
    bench.ask(**DECLINE)
    eventually(lambda: len(bench.bus.acknowledged) == 2)
    go_on.set()
    bench.reply(2)
    assert bench.asked() == ["acceptInstruction", "declineInstruction"]
    assert ("refused", "answered") in bench.kept()
    bench.stop()


@pytest.mark.parametrize("is_away", [False, True])
def test_what_somebody_answered_through_another_instance_bars_a_rule_after_a_restart(tmp_path: Path, *, is_away: bool) -> None:
    bench = Bench(tmp_path)
    if is_away:
        bench.stop()
    elsewhere(bench, "taken", **DECLINE)
    if not is_away:
        bench.stop()
    bench.rules = (RULE | {"resources": ["R1"]},)
    bench.start()
    bench.look()
    assert bench.asked() == []
    bench.stop()


def test_an_instruction_that_another_instances_rule_accepted_while_this_one_was_away_is_not_accepted_again(
    tmp_path: Path,
) -> None:
    broker = Broker()
    first, second = (Bench(tmp_path, RULE | {"resources": ["R1"]}, name=name, broker=broker) for name in ("a", "b"))
    first.stop()
    second.look()
    eventually(lambda: second.outcomes == ["taken"])
    first.rules = (RULE | {"resources": ["R1"], "name": "renamed"},)
    first.start()
    first.look()
    assert (first.asked(), second.asked()) == ([], ["acceptInstruction"])
    first.stop()
    second.stop()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Bench, Bench]]:
    broker = Broker()
    made = Bench(tmp_path, broker=broker), Bench(tmp_path, name="b", broker=broker)
    yield made
    for each in made:
        each.stop()


def test_of_a_command_that_reaches_two_instances_at_once_caiso_is_asked_once_and_both_reply_the_same(
    two: tuple[Bench, Bench],
) -> None:
    first, second = two
    first.broker.hold()
    for each in two:
        each.ask()
        eventually(lambda each=each: each.kept() == [("sending", None)])
    first.broker.release()
    assert [first.reply().outcome, second.reply().outcome] == ["taken", "taken"]
    assert (first.asked(), second.asked()) == (["acceptInstruction"], [])
    assert first.kept() == [("sending", None), ("taken", None)]
    eventually(lambda: second.kept() == [("sending", None), ("elsewhere", None)])


def test_a_command_that_another_instance_asks_caiso_about_waits_for_its_result(two: tuple[Bench, Bench]) -> None:
    first, second = two
    go_on = threading.Event()
    first.caiso[""].answer = lambda _question: code(0) if go_on.wait(10) else code(1)
    first.ask()
    eventually(first.asked)
    second.ask()
    eventually(lambda: second.bus.acknowledged)
    assert second.bus.published == []
    go_on.set()
    assert [first.reply().outcome, second.reply().outcome] == ["taken", "taken"]
    assert second.kept() == []


def test_two_answers_to_one_instruction_go_to_caiso_one_after_the_other_whichever_instances_have_them(
    two: tuple[Bench, Bench],
) -> None:
    first, second = two
    go_on = threading.Event()
    first.caiso[""].answer = lambda _question: code(0) if go_on.wait(10) else code(1)
    first.ask()
    eventually(first.asked)
    second.ask(**DECLINE)
    eventually(lambda: second.kept() == [("sending", None)])
    assert second.asked() == []
    go_on.set()
    assert second.reply().outcome == "taken"
    assert second.asked() == ["declineInstruction"]


def test_the_same_answer_under_two_ids_at_two_instances_is_given_once(two: tuple[Bench, Bench]) -> None:
    first, second = two
    first.broker.hold()
    for each in two:
        each.ask(command_id=each.name)
        eventually(lambda each=each: each.kept() == [("sending", None)])
    first.broker.release()
    assert [first.reply().outcome, second.reply().refused_by] == ["taken", "repeated"]


def test_an_answer_that_does_not_get_its_turn_is_refused_and_not_sent(two: tuple[Bench, Bench]) -> None:
    first, second = two
    second.turn_within_s = 0.0
    go_on = threading.Event()
    first.caiso[""].answer = lambda _question: code(0) if go_on.wait(10) else code(1)
    first.ask()
    eventually(first.asked)
    second.ask(**DECLINE)
    assert second.reply().refused_by == "busy"
    go_on.set()
    first.reply()


def test_when_the_instance_that_asks_caiso_goes_the_result_is_unknown_and_who_waits_elsewhere_is_told(bench: Bench) -> None:
    bench.bus.deliver(TOPICS.service("ads_ingest", "b"), status("b"))
    elsewhere(bench, "sending")
    bench.ask()
    eventually(lambda: bench.bus.acknowledged)
    bench.bus.deliver(TOPICS.service("ads_ingest", "b"), status("b", is_online=False))
    assert bench.bus.published == []
    bench.monotonic_s += 6.0
    reply = bench.reply()
    assert (reply.outcome, "ads_ingest/b went" in reply.detail) == ("unknown", True)
    assert (bench.asked(), bench.kept()) == ([], [("unknown", None)])
    elsewhere(bench, "taken")
    bench.ask()
    assert bench.reply(2).outcome == "taken", "it had only lost its connection, and knows more"


def test_an_instance_of_which_the_broker_never_said_anything_is_given_up_after_a_while(bench: Bench) -> None:
    elsewhere(bench, "sending")
    bench.ask()
    eventually(lambda: bench.bus.acknowledged)
    bench.now = T0 + 11 * MINUTE
    assert bench.reply().outcome == "unknown"


def test_a_crash_after_another_instance_was_first_leaves_its_result(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.log.keep(command(), Result(SENDING, "-"))
    elsewhere(bench, "taken")
    bench.restart()
    assert bench.kept() == [("sending", None), ("elsewhere", None)]
    bench.ask()
    assert (bench.reply().outcome, bench.asked()) == ("taken", [])
    bench.stop()


@pytest.mark.parametrize("operation", ["getBatchStatus", "declineInstruction"])
def test_a_reply_to_another_question_is_no_answer_of_caisos(bench: Bench, operation: str) -> None:
    bench.caiso[""].answer = lambda _question: code_of(operation, 0)
    bench.ask()
    reply = bench.reply()
    assert reply.outcome == "unknown"
    assert f"{operation}Response" in reply.detail


def test_an_instance_is_gone_once_it_has_been_offline_for_a_while_and_one_that_nobody_heard_of_is_neither() -> None:
    now_s = [0.0]
    instances = Instances("ads_ingest/a", lambda: now_s[0])

    def say(*, is_online: bool) -> None:
        topic = TOPICS.service("ads_ingest", "b")
        instances.note(Delivery(topic, status("b", is_online=is_online), retained=False, received_at=T0))

    assert instances.is_gone("ads_ingest/b") is None
    for is_online in (True, False, False):
        say(is_online=is_online)
        assert instances.is_gone("ads_ingest/b") is False
        now_s[0] += 3.0
    assert instances.is_gone("ads_ingest/b") is True
    say(is_online=True)
    assert instances.is_gone("ads_ingest/b") is False
