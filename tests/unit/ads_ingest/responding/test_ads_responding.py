"""Answers to instructions before anything is sent: read, checked, replied to, kept, and given by rules."""

from datetime import datetime, timedelta

import answering_bench
import msgspec
import pytest
from answering_bench import MINUTE, T0, TOPICS
from hypothesis import given
from hypothesis import strategies as st

from ads_ingest.responding.answers import Answers, Begun
from ads_ingest.responding.checks import Check, Situation, refusal
from ads_ingest.responding.commands import (
    Asked,
    Result,
    Unreadable,
    event_of,
    read_command,
    reply_of,
    reply_topic,
)
from ads_ingest.responding.rules import automatic_answers
from ads_ingest.translate import Sender
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import (
    Environment,
    InstructionAction,
    InstructionAnswer,
    InstructionResponse,
    KnownInstruction,
)
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.testing import samples

PLANTS = [
    {"name": "north", "resource": [{"id": "R1"}, {"id": "R2"}]},
    {"name": "south", "resource": [{"id": "S1"}]},
]
INSTALLATION = Installation.model_validate({"environment": "simulator", "plant": PLANTS})
SENDER = Sender(INSTALLATION, "ads_ingest/test")
replace = msgspec.structs.replace

COMMAND = replace(answering_bench.COMMAND, instruction_uid="H1-I0")
KNOWN = KnownInstruction(
    what="dot",
    standing="in force",
    start_at=T0 + 60 * MINUTE,
    end_at=T0 + 120 * MINUTE,
    instructed_mw=40.0,
    answer=InstructionAnswer(answer="none", is_open=True, open_until=T0 + 10 * MINUTE),
    instruction_uid="H1-I0",
    instruction_type=0,
    batch_uid="H1",
    batch_type=1,
    batch_status=1,
    status_code=1,
    batch_until=T0 + 120 * MINUTE,
    told_at=T0 - MINUTE,
)


def delivery(
    message: InstructionResponse | bytes = COMMAND,
    topic: str = TOPICS.respond("north", "R1", "accept"),
    *,
    retained: bool = False,
    response_topic: str | None = None,
) -> Delivery:
    payload = message if isinstance(message, bytes) else encode(message)
    return Delivery(topic, payload, retained, T0, response_topic=response_topic, correlation=b"7")


def asked(plant: str = "north", resource_id: str = "R1", word: str | None = None, **told: object) -> Asked:
    command = replace(COMMAND, **told)
    read = read_command(delivery(command, TOPICS.respond(plant, resource_id, word or command.action)), TOPICS)
    assert isinstance(read, Asked)
    return read


def refused_by(question: Asked, *known: KnownInstruction, at: datetime = T0, answers: Answers | None = None) -> str | None:
    situation = Situation(INSTALLATION, known or (KNOWN,), answers or Answers(), at, at)
    result = refusal(question, situation)
    assert result is None or result.detail
    return result and result.refused_by


def answered(answer: str, **told: object) -> KnownInstruction:
    assert KNOWN.answer
    return replace(KNOWN, answer=replace(KNOWN.answer, answer=answer, **told))


PARTIAL = {"action": InstructionAction.PARTIAL, "accept_dot_mw": 15.0, "reason_code": 13}
DECLINE = {"action": InstructionAction.DECLINE, "reason_code": 10}


@pytest.mark.parametrize("told", [{}, {"accept_dot_mw": 40.0}, PARTIAL, DECLINE])
def test_what_caiso_takes_passes(told: dict[str, object]) -> None:
    assert refused_by(asked(**told)) is None


@pytest.mark.parametrize("reason", range(10, 17))
def test_every_reason_of_the_specification_is_one(reason: int) -> None:
    assert refused_by(asked(**DECLINE | {"reason_code": reason})) is None
    assert refused_by(asked(**PARTIAL | {"reason_code": reason})) is None


@pytest.mark.parametrize(
    ("told", "check"),
    [
        ({"environment": Environment.PRODUCTION}, Check.ENVIRONMENT),
        ({"expires_at": T0}, Check.EXPIRED),
        ({"time": T0 - timedelta(minutes=5)}, Check.EXPIRED),
        ({"instruction_uid": "another"}, Check.INSTRUCTION),
        ({"batch_uid": "another"}, Check.INSTRUCTION),
        ({"accept_dot_mw": 15.0}, Check.MEGAWATTS),
        (DECLINE | {"accept_dot_mw": 15.0}, Check.MEGAWATTS),
        (DECLINE | {"accept_dot_mw": 0.0}, Check.MEGAWATTS),
        ({"time": T0 + timedelta(seconds=61)}, Check.TIME),
        ({"time": T0 + timedelta(days=1), "expires_at": T0 + timedelta(days=2)}, Check.TIME),
        (PARTIAL | {"accept_dot_mw": None}, Check.MEGAWATTS),
        (PARTIAL | {"accept_dot_mw": 40.1}, Check.MEGAWATTS),
        (PARTIAL | {"accept_dot_mw": -0.1}, Check.MEGAWATTS),
        ({"reason_code": 10}, Check.REASON),
        (DECLINE | {"reason_code": None}, Check.REASON),
        (DECLINE | {"reason_code": 9}, Check.REASON),
        (PARTIAL | {"reason_code": 17}, Check.REASON),
    ],
)
def test_what_does_not_hold_is_named(told: dict[str, object], check: Check) -> None:
    assert refused_by(asked(**told)) == check


def test_a_command_with_a_time_of_its_own_counts_until_then() -> None:
    assert refused_by(asked(time=T0 - 30 * MINUTE, expires_at=T0 + MINUTE)) is None


def test_a_requesters_clock_may_be_a_little_ahead() -> None:
    assert refused_by(asked(time=T0 + MINUTE)) is None


def test_topic_and_message_must_say_the_same_action() -> None:
    assert refused_by(asked(word="decline")) == Check.TOPIC
    assert refused_by(asked(word="respond")) == Check.TOPIC


def test_a_plant_answers_for_its_own_resources_only() -> None:
    """The broker lets a plant's user write below its plant whatever resource it names there."""
    assert refused_by(asked("north", "S1")) == Check.TOPIC
    assert refused_by(asked("south", "S1")) is None
    assert refused_by(asked("unassigned", "STRANGER")) == Check.TOPIC


def test_of_a_negative_dot_a_part_lies_above_it() -> None:
    charging = replace(KNOWN, instructed_mw=-20.0)
    assert refused_by(asked(**PARTIAL | {"accept_dot_mw": -5.0}), charging) is None
    assert refused_by(asked(**PARTIAL | {"accept_dot_mw": 5.0}), charging) == Check.MEGAWATTS
    assert refused_by(asked(**PARTIAL | {"accept_dot_mw": -21.0}), charging) == Check.MEGAWATTS


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_a_part_passes_exactly_when_it_lies_between_nothing_and_the_dot(dot_mw: float, accept_mw: float) -> None:
    lies_between = min(0.0, dot_mw) <= accept_mw <= max(0.0, dot_mw)
    found = refused_by(asked(**PARTIAL | {"accept_dot_mw": accept_mw}), replace(KNOWN, instructed_mw=dot_mw))
    assert (found is None) == lies_between


@pytest.mark.parametrize(
    "known",
    [
        replace(KNOWN, batch_type=4, answer=None),
        answered("none", is_open=False, open_until=None),
        answered("none", open_until=T0),
    ],
)
def test_outside_of_the_time_for_answers_nothing_is_sent(known: KnownInstruction) -> None:
    assert refused_by(asked(), known) == Check.WINDOW


def test_a_window_without_an_end_is_caisos_to_judge() -> None:
    assert refused_by(asked(), answered("none", open_until=None), at=T0 + MINUTE) is None


def test_the_window_is_by_caisos_clock() -> None:
    situation = Situation(INSTALLATION, (KNOWN,), Answers(), T0, T0 + 10 * MINUTE)
    result = refusal(asked(), situation)
    assert result
    assert result.refused_by == Check.WINDOW


def test_an_instruction_without_megawatts_cannot_be_answered() -> None:
    assert refused_by(asked(), replace(KNOWN, instructed_mw=None)) == Check.MEGAWATTS


@pytest.mark.parametrize(
    ("known", "told", "is_repeated"),
    [
        (answered("accepted"), {}, True),
        (answered("accepted"), DECLINE, False),
        (answered("declined"), DECLINE, True),
        (answered("declined"), {}, False),
        (answered("partly accepted", accept_dot_mw=15.0), PARTIAL, True),
        (answered("partly accepted", accept_dot_mw=10.0), PARTIAL, False),
        (answered("unclear"), {}, False),
    ],
)
def test_the_same_answer_is_not_given_twice_and_another_may_replace_it(
    known: KnownInstruction, told: dict[str, object], *, is_repeated: bool
) -> None:
    assert refused_by(asked(**told), known) == (Check.REPEATED if is_repeated else None)


def test_an_answer_that_caiso_took_counts_before_it_is_told_and_no_longer_than_that() -> None:
    taken = event_of(asked(), Result("taken", "done", result_code=0), SENDER, T0)
    answers = Answers([taken])
    assert refused_by(asked(command_id="c2"), answers=answers) == Check.REPEATED
    changed = replace(KNOWN, instructed_mw=50.0, told_at=T0 + MINUTE)
    assert refused_by(asked(command_id="c2"), changed, at=T0 + MINUTE, answers=answers) is None


def test_an_older_answer_that_is_heard_again_does_not_count_as_the_last() -> None:
    accepted = event_of(asked(), Result("taken", "-", result_code=0), SENDER, T0)
    declined = event_of(asked(**DECLINE | {"command_id": "c2"}), Result("taken", "-", result_code=0), SENDER, T0 + MINUTE)
    answers = Answers([accepted, declined, accepted])
    assert refused_by(asked(command_id="c3"), answers=answers) is None
    assert refused_by(asked(**DECLINE | {"command_id": "c3"}), answers=answers) == Check.REPEATED


def test_each_refusal_says_in_words_what_is_wrong() -> None:
    situation = Situation(INSTALLATION, (answered("none", is_open=False),), Answers(), T0, T0)
    closed = replace(situation.known[0], batch_status=3, status_code=3)
    result = refusal(asked(), Situation(INSTALLATION, (closed,), Answers(), T0, T0))
    assert result == Result("refused", "CAISO takes answers while the batch is active, and it is closed", "window")


def test_megawatts_that_differ_are_not_told_as_the_same() -> None:
    more = asked(**PARTIAL | {"accept_dot_mw": 40.0000001})
    result = refusal(more, Situation(INSTALLATION, (KNOWN,), Answers(), T0, T0))
    assert result == Result("refused", "40.0000001 MW is not between 0 and the DOT of 40 MW", "megawatts")


def test_a_delivery_on_a_command_topic_is_read_with_its_place() -> None:
    read = read_command(delivery(), TOPICS)
    assert read == Asked(COMMAND, "north", "R1", "accept", "c1")


def test_a_command_without_an_id_is_told_from_others_by_what_it_says() -> None:
    plain = replace(COMMAND, command_id=None)
    first, again, later = (read_command(delivery(each), TOPICS) for each in (plain, plain, replace(plain, time=T0 + MINUTE)))
    assert isinstance(first, Asked)
    assert isinstance(again, Asked)
    assert isinstance(later, Asked)
    assert first.id == again.id != later.id


def test_what_is_retained_is_no_command() -> None:
    read = read_command(delivery(retained=True), TOPICS)
    assert isinstance(read, Unreadable)
    assert "retain" in read.why


def test_what_is_on_another_topic_is_passed_over() -> None:
    assert read_command(delivery(topic=TOPICS.dot("north", "R1")), TOPICS) is None
    assert read_command(delivery(topic=TOPICS.respond_reply("north", "R1", "accept")), TOPICS) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        encode(samples.dispatch()),
        encode(replace(COMMAND, requested_by="")),
        encode(replace(COMMAND, requested_by="x" * 201)),
        encode(replace(COMMAND, command_id="a\nb")),
        *(
            encode(replace(COMMAND, accept_dot_mw=7.5)).replace(b"7.5", mw)
            for mw in (b"NaN", b"Infinity", b"-Infinity", b"1e999")
        ),
        encode(replace(COMMAND, instruction_uid="a\0b")),
    ],
)
def test_what_is_no_command_is_told_to_whoever_sent_it(payload: bytes) -> None:
    read = read_command(delivery(payload), TOPICS)
    assert isinstance(read, Unreadable)
    reply = reply_of(read, Result("refused", read.why, Check.MESSAGE), SENDER, T0)
    assert (reply.outcome, reply.refused_by, reply.command_id) == ("refused", "message", None)
    assert reply.detail


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reading(payload: bytes) -> None:
    assert isinstance(read_command(delivery(payload), TOPICS), Asked | Unreadable)


REPLY = TOPICS.respond_reply("north", "R1", "accept")


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (None, REPLY),
        (REPLY, REPLY),
        (f"{REPLY}/screen-1", f"{REPLY}/screen-1"),
        (f"{REPLY}/screen/1", REPLY),
        (TOPICS.respond_reply("south", "S1", "accept"), REPLY),
        (TOPICS.respond_reply("north", "R2", "accept"), REPLY),
        (TOPICS.dot("south", "S1"), REPLY),
        ("elsewhere", REPLY),
    ],
)
def test_a_reply_goes_to_its_own_plant_whatever_is_asked(wanted: str | None, given: str) -> None:
    come = delivery(response_topic=wanted)
    address = TOPICS.read(come.topic)
    assert address
    assert reply_topic(come, address, TOPICS) == given


def test_what_is_kept_says_who_asked_what_and_what_became_of_it() -> None:
    event = event_of(asked(**PARTIAL), Result("taken", "done", result_code=0), SENDER, T0 + MINUTE)
    assert (event.plant, event.resource_id, event.command_id, event.action) == ("north", "R1", "c1", "partial")
    assert (event.requested_by, event.requested_from, event.requested_at) == ("somebody", "screen/1", T0)
    assert (event.accept_dot_mw, event.reason_code, event.outcome, event.result_code) == (15.0, 13, "taken", 0)


def test_a_command_has_two_events_of_one_instance_and_no_more_however_often_it_comes() -> None:
    outcomes = ("sending", "taken", "unknown")
    ids = [event_of(asked(), Result(outcome, "-"), SENDER, T0 + MINUTE).id for outcome in outcomes]
    assert len(set(ids)) == 2
    assert event_of(asked(command_id="c2"), Result("taken", "-"), SENDER, T0).id not in ids
    assert event_of(asked("south", "S1"), Result("taken", "-"), SENDER, T0).id not in ids


def test_the_same_command_again_is_answered_with_what_became_of_the_first() -> None:
    sending, taken = (event_of(asked(), Result(outcome, outcome), SENDER, T0) for outcome in ("sending", "taken"))
    answers = Answers()
    assert not answers.is_known(asked())
    answers.note(sending)
    assert answers.begin(asked()) is Begun.JOINED, "another instance asks CAISO"
    answers.note(taken)
    assert answers.begin(asked()) == Result("taken", "taken")
    answers.note(sending)
    assert answers.result_of(asked()) == Result("taken", "taken")
    assert answers.result_of(asked("south", "S1")) is None


@pytest.mark.parametrize("order", [("unknown", "taken"), ("taken", "unknown"), ("taken", "refused"), ("unknown", "refused")])
def test_of_two_results_of_one_command_the_one_that_knows_more_counts(order: tuple[str, str]) -> None:
    answers = Answers([event_of(asked(), Result(outcome, "-"), SENDER, T0) for outcome in order])
    found = answers.result_of(asked())
    assert found
    assert found.outcome == ("taken" if "taken" in order else "refused")


RULE = {"name": "small", "resources": ["R*"], "max_mw": 50.0, "dry_run": False}


def automatic(*known: KnownInstruction, resource_id: str = "R1", answers: Answers | None = None, **rule: object) -> list[Asked]:
    document = {"environment": "simulator", "plant": PLANTS, "automatic_acceptance": [RULE | rule]}
    sender = Sender(Installation.model_validate(document), "ads_ingest/test")
    found = automatic_answers({resource_id: known or (KNOWN,)}, answers or Answers(), sender, T0)
    return [asked for asked, _rule in found]


def test_without_a_rule_nothing_is_accepted() -> None:
    assert list(automatic_answers({"R1": (KNOWN,)}, Answers(), SENDER, T0)) == []


def test_a_rule_accepts_an_open_instruction_within_its_limits_and_says_so() -> None:
    (given,) = automatic()
    assert (given.plant, given.resource_id, given.action, given.rule) == ("north", "R1", "accept", "small")
    assert given.command.requested_by == "rule small"
    assert refused_by(given) is None


@pytest.mark.parametrize(
    ("known", "rule"),
    [
        (KNOWN, {"max_mw": 39.9}),
        (KNOWN, {"min_mw": 40.1}),
        (KNOWN, {"resources": ["S*"]}),
        (KNOWN, {"batch_types": [4]}),
        (answered("accepted"), {}),
        (answered("none", is_open=False), {}),
        (replace(KNOWN, answer=None), {}),
        (replace(KNOWN, instructed_mw=None), {}),
        (replace(KNOWN, instructed_mw=-10.0), {}),
    ],
)
def test_a_rule_accepts_nothing_else(known: KnownInstruction, rule: dict[str, object]) -> None:
    assert automatic(known, **rule) == []


def test_a_rule_answers_once_and_anew_when_the_instruction_changes() -> None:
    (given,) = automatic()
    answers = Answers([event_of(given, Result("taken", "-"), SENDER, T0)])
    assert automatic(answers=answers) == []
    changed = replace(KNOWN, instructed_mw=30.0, revision_number=2, told_at=T0 + MINUTE)
    (anew,) = automatic(changed, answers=answers)
    assert anew.id != given.id


@pytest.mark.parametrize("told", [{}, DECLINE, PARTIAL])
@pytest.mark.parametrize("outcome", ["sending", "taken", "unknown"])
def test_a_rule_never_answers_over_somebodys_answer_however_caiso_changes_the_instruction(
    told: dict[str, object], outcome: str
) -> None:
    answers = Answers([event_of(asked(**told), Result(outcome, "-"), SENDER, T0)])
    changed = replace(KNOWN, instructed_mw=30.0, revision_number=2, told_at=T0 + MINUTE)
    assert automatic(answers=answers) == automatic(changed, answers=answers) == []


@pytest.mark.parametrize(
    ("told", "refused_by", "is_barred"),
    [
        (DECLINE, "unreachable", True),
        (DECLINE, "caiso", True),
        (PARTIAL, "megawatts", True),
        (DECLINE, "topic", False),
        (DECLINE, "environment", False),
        ({}, "unreachable", False),
        ({}, "caiso", False),
    ],
)
def test_a_refused_answer_bars_a_rule_when_somebody_did_not_want_the_instruction_as_it_is(
    told: dict[str, object], refused_by: str, *, is_barred: bool
) -> None:
    answers = Answers([event_of(asked(**told), Result("refused", "-", refused_by), SENDER, T0)])
    assert (automatic(answers=answers) == []) is is_barred


def test_a_rule_by_another_name_does_not_answer_once_more() -> None:
    (given,) = automatic()
    answers = Answers([event_of(given, Result("taken", "-"), SENDER, T0)])
    later = replace(KNOWN, told_at=T0 + MINUTE)
    assert automatic(later, answers=answers, name="renamed") == []


def test_a_dry_run_is_told_once_and_the_rule_then_acts_when_it_is_turned_on() -> None:
    (dry,) = automatic(dry_run=True)
    answers = Answers([event_of(dry, Result("dry-run", "-"), SENDER, T0)])
    assert automatic(answers=answers, dry_run=True) == []
    assert len(automatic(answers=answers)) == 1


def test_a_command_of_another_content_is_not_answered_with_what_became_of_the_one_that_had_its_id() -> None:
    answers = Answers([event_of(asked(command_id="shift 7"), Result("taken", "-", result_code=0), SENDER, T0)])
    same, other = asked(command_id="shift 7"), asked(**DECLINE | {"command_id": "shift 7"})
    found = [answers.begin(each) for each in (same, other)]
    assert [each.outcome for each in found if isinstance(each, Result)] == ["taken", "refused"]
