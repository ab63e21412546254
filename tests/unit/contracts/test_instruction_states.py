"""What holds of an instruction: every batch type, status and answer of the specification, section 6 and 3.1 to 3.3."""

from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dotbus.contracts.instruction_states import TABLE, Answer, Holding, Standing, Status, answer_to, holding
from dotbus.contracts.messages import Instruction
from dotbus.contracts.schedules import DOT_BATCH_TYPES, BatchType

IN_FORCE, IN_DOUBT, NOT_IN_FORCE = Standing.IN_FORCE, Standing.IN_DOUBT, Standing.NOT_IN_FORCE
GONE = Holding(NOT_IN_FORCE)


def instruction(dot_mw: float | None = 40.0, **told: object) -> Instruction:
    return Instruction(instruction_uid="I", resource_id="R", instruction_type=0, dot_mw=dot_mw, **told)  # type: ignore[arg-type]


def test_the_table_knows_every_type_status_and_answer() -> None:
    for kind, status in product(BatchType, [None, *Status]):
        assert set(TABLE[kind][status]) == set(Answer)


@pytest.mark.parametrize("kind", list(BatchType))
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, Holding(IN_FORCE, 40.0)),
        (0, GONE),
        (1, Holding(IN_FORCE, 40.0)),
        (3, Holding(IN_FORCE, 40.0)),
        (4, GONE),
        (6, GONE),
        (9, Holding(IN_DOUBT, 40.0)),
    ],
)
def test_without_an_answer_the_status_of_batch_and_instruction_decides(
    kind: BatchType, status: int | None, expected: Holding
) -> None:
    assert holding(kind, status, instruction()) == expected
    assert holding(kind, 1, instruction(status_code=status)) == expected
    assert holding(kind, status, instruction(status_code=1)) == expected


ANSWERS = [
    ({"accept_dot_mw": 40.0}, Holding(IN_FORCE, 40.0)),
    ({"accept_dot_mw": 0.0}, GONE),
    ({"accept_dot_mw": 15.0}, Holding(IN_FORCE, 15.0)),
    ({"accept_status": "ACCEPT", "accept_dot_mw": 40.0}, Holding(IN_FORCE, 40.0)),
    ({"accept_status": "Accepted"}, Holding(IN_FORCE, 40.0)),
    ({"accept_status": "ACCEPT", "accept_dot_mw": 0.0}, Holding(IN_DOUBT, 40.0)),
    ({"accept_status": "DECLINE", "accept_dot_mw": 0.0, "reason_code": 11}, GONE),
    ({"accept_status": "PARTIAL", "accept_dot_mw": 15.0, "reason_code": 13}, Holding(IN_FORCE, 15.0)),
    ({"accept_status": "Partial Accept", "accept_dot_mw": 0.0}, Holding(IN_FORCE, 0.0)),
    ({"accept_status": "PARTIAL"}, Holding(IN_DOUBT)),
    ({"accept_status": "Not accepted"}, Holding(IN_DOUBT, 40.0)),
    ({"accept_status": "?"}, Holding(IN_DOUBT, 40.0)),
    ({"reason_code": 16}, GONE),
    ({"reason_code": 16, "accept_dot_mw": 40.0}, GONE),
    ({"reason_code": 15, "min_accept_mw": 8.0}, Holding(IN_FORCE, 8.0)),
    ({"reason_code": 15, "min_accept_mw": 8.0, "accept_dot_mw": 9.0}, Holding(IN_FORCE, 9.0)),
    ({"reason_code": 14}, GONE),
    ({"reason_code": 14, "accept_dot_mw": 12.0}, Holding(IN_FORCE, 12.0)),
    ({"accept_dot_mw": 40.0, "opr_accept_dot_mw": 20.0}, Holding(IN_FORCE, 20.0)),
    ({"accept_status": "ACCEPT", "opr_accept_status": "DECLINE"}, GONE),
    ({"accept_status": "DECLINE", "opr_accept_status": "ACCEPT"}, Holding(IN_FORCE, 40.0)),
]


WHOLE_WORDS = {
    Answer.ACCEPTED: ("ACCEPT", "accepted", "Accepted"),
    Answer.PARTLY: ("PARTIAL", "Partial Accept", "PARTIAL_ACCEPT", "partialAccept", "partially accepted", "Partially-Accepted"),
    Answer.DECLINED: ("DECLINE", "Declined", "reject", "REJECTED"),
}


@pytest.mark.parametrize(("word", "answer"), [(word, answer) for answer, words in WHOLE_WORDS.items() for word in words])
def test_an_answer_is_recognised_by_the_whole_words_of_the_operations(word: str, answer: Answer) -> None:
    assert answer_to(1, instruction(accept_status=word)) is answer
    assert answer_to(1, instruction(opr_accept_status=word)) is answer


@given(st.sampled_from([each for words in WHOLE_WORDS.values() for each in words]), st.text(), st.text())
def test_a_word_that_merely_contains_another_is_in_doubt(word: str, before: str, after: str) -> None:
    said = f"{before}{word}{after}"
    known = {"".join(filter(str.isalpha, each)).lower() for words in WHOLE_WORDS.values() for each in words}
    assume("".join(filter(str.isalnum, said)).lower() not in known)
    assert answer_to(1, instruction(accept_status=said)) is Answer.UNCLEAR
    assert holding(1, 3, instruction(accept_status=said)) == Holding(IN_DOUBT, 40.0)


@pytest.mark.parametrize("word", ["unaccepted", "non-accepted", "Reaccept", "undeclined", "rejection withdrawn", "acc", "part"])
def test_a_word_of_no_operation_is_in_doubt(word: str) -> None:
    assert holding(1, 3, instruction(accept_status=word)) == Holding(IN_DOUBT, 40.0)


@pytest.mark.parametrize("status", [1, 3])
@pytest.mark.parametrize(("told", "expected"), ANSWERS)
def test_an_answered_hourly_instruction_holds_as_it_was_answered(
    status: int, told: dict[str, object], expected: Holding
) -> None:
    assert holding(1, status, instruction(**told)) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, GONE),
        ({"min_accept_mw": 0.0}, GONE),
        ({"min_accept_mw": 8.0}, Holding(IN_DOUBT)),
        ({"min_accept_mw": 8.0, "reason_code": 15}, Holding(IN_FORCE, 8.0)),
        ({"min_accept_mw": 8.0, "reason_code": 16}, GONE),
        ({"accept_dot_mw": 15.0}, Holding(IN_FORCE, 15.0)),
        ({"accept_status": "ACCEPT"}, Holding(IN_FORCE, 40.0)),
    ],
)
def test_an_hourly_instruction_that_timed_out_holds_with_what_was_accepted(told: dict[str, object], expected: Holding) -> None:
    assert holding(1, 2, instruction(**told)) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, Holding(IN_DOUBT, 40.0)),
        ({"accept_status": "ACCEPT"}, Holding(IN_FORCE, 40.0)),
        ({"accept_status": "PARTIAL", "accept_dot_mw": 15.0}, Holding(IN_DOUBT, 15.0)),
        ({"accept_status": "DECLINE", "accept_dot_mw": 0.0}, Holding(IN_DOUBT)),
        ({"accept_status": "DECLINE", "opr_accept_status": "DECLINE"}, Holding(IN_DOUBT)),
    ],
)
def test_while_the_operator_decides_what_was_not_accepted_in_full_is_in_doubt(
    told: dict[str, object], expected: Holding
) -> None:
    assert holding(1, 5, instruction(**told)) == expected


@pytest.mark.parametrize("kind", [0, 4])
def test_an_accepted_dot_alone_changes_no_five_minute_instruction_and_a_decline_does(kind: int) -> None:
    """CAISO's own five-minute sample carries acceptDot without a word."""
    assert holding(kind, 3, instruction(accept_dot_mw=0.0)) == Holding(IN_FORCE, 40.0)
    assert holding(kind, 3, instruction(accept_dot_mw=0.0, accept_status="DECLINE")) == GONE
    assert holding(kind, 2, instruction()) == Holding(IN_DOUBT, 40.0), "hourly only, says the specification"


def test_of_batch_and_instruction_the_stricter_counts() -> None:
    assert holding(1, 5, instruction(status_code=4)) == GONE
    assert holding(1, 4, instruction(status_code=1)) == GONE
    assert holding(1, 1, instruction(status_code=5)) == Holding(IN_DOUBT, 40.0)


@pytest.mark.parametrize("kind", sorted(DOT_BATCH_TYPES))
def test_a_dot_without_megawatts_is_in_doubt_as_it_may_be_any(kind: BatchType) -> None:
    assert holding(kind, 1, instruction(None)) == Holding(IN_DOUBT)
    assert holding(kind, 4, instruction(None)) == GONE


def test_zero_megawatts_accepted_as_instructed_are_in_force() -> None:
    assert holding(1, 3, instruction(0.0, accept_dot_mw=0.0)) == Holding(IN_FORCE, 0.0)
