"""What CAISO instructs besides five-minute DOTs, as registers show it: literal words, and when they turn."""

import struct

import pytest
from gateway_story import Gateway, at, instruction, instructions, status

from dotbus.contracts.messages import InstructionAnswer, WithdrawnBatch

PLANT = {"block": [{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}], "stale_after_s": 900}
NAN = [0x7FC0, 0x0000]
NOTHING, NO_TIME = 0xFFFF, [0xFFFF, 0xFFFF]
GOOD, UNCERTAIN, INCOMPLETE = [192, 0], 64, 1 << 10
COUNTS, COMMITMENT, CONSTRAINT, AWARD = 161, 183, 188, 194
OPEN = InstructionAnswer(answer="none", is_open=True, open_until=at(120))


@pytest.fixture
def gateway() -> Gateway:
    gateway = Gateway(**PLANT)
    gateway.hear(status(0))
    return gateway


def f32(value: float) -> list[int]:
    return list(struct.unpack(">HH", struct.pack(">f", value)))


def u32(seconds_after_noon: float) -> list[int]:
    return list(struct.unpack(">HH", struct.pack(">I", int(at(seconds_after_noon).timestamp()))))


def shown_at(points: list[dict], *said, registers: int = 2) -> list[int]:
    gateway = Gateway(stale_after_s=900, point=[{"unit_id": 20, "resource": "SOLAR", **point} for point in points])
    gateway.hear(status(0), *said)
    return gateway.words(1, 20, 0, points[-1]["address"] + points[-1].get("length", registers))


def test_nothing_was_said_is_bad_and_no_count_is_0(gateway):
    assert gateway.words(1, 11, COUNTS, 9) == [0, 1, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING]
    assert gateway.words(1, 11, CONSTRAINT, 6) == [0, 1, *NAN, *NAN]


def test_that_there_is_none_is_as_good_as_the_state_that_says_so(gateway):
    gateway.hear(instructions())
    assert gateway.words(1, 11, COUNTS, 9) == [*GOOD, 0, 0, 0, NOTHING, 0, NOTHING, NOTHING]
    assert gateway.words(1, 11, COMMITMENT, 17) == [*GOOD, NOTHING, *NO_TIME, *GOOD, *NAN, *NAN, *GOOD, *NAN, *NAN]


def test_instructions_are_counted_as_time_makes_them(gateway):
    declined = instruction("dot", 0, standing="not in force")
    gateway.hear(instructions(instruction("as-award", 0, length_s=100), instruction("as-award", 50), declined))
    assert [gateway.words(s, 11, COUNTS + 2, 2) for s in (1, 49, 50, 99, 100, 350)] == [
        *([1, 1], [1, 1], [2, 0], [2, 0], [1, 0], [0, 0]),
    ]


def test_an_open_instruction_is_to_be_answered_until_its_window_closes(gateway):
    hourly = instruction("dot", 600, length_s=3600, answer=OPEN)
    answered = instruction("dot", 4200, answer=InstructionAnswer(answer="accepted", is_open=True, open_until=at(60)))
    gateway.hear(instructions(hourly, answered))
    assert [gateway.words(s, 11, COUNTS + 4, 2) for s in (1, 2, 119, 119.5, 120)] == [
        *([1, 119], [1, 118], [1, 1], [1, 1], [0, NOTHING]),
    ]


def test_the_counter_changes_with_each_new_instruction_or_revision_and_with_nothing_else(gateway):
    def changes(s: float) -> int:
        return gateway.words(s, 11, COUNTS + 6, 1)[0]

    one, other = instruction("minimum", 0, length_s=20), instruction("maximum", 0)
    gateway.hear(instructions(one, said_s=1))
    assert changes(1) == 1
    gateway.hear(instructions(one, said_s=2), instructions(one, said_s=3, source="ads_ingest/b"))
    assert changes(3) == 1
    gateway.hear(instructions(one, other, said_s=4))
    assert changes(4) == 2
    gateway.hear(instructions(one, instruction("maximum", 0, revision_no=1), said_s=5))
    assert (changes(5), changes(25)) == (3, 3)
    gateway.hear(instructions(said_s=30))
    assert changes(30) == 3


def test_a_constraint_shows_its_limits_while_it_is_in_force(gateway):
    low = instruction("minimum", 0, length_s=60, min_mw=5.0, standing_mw=5.0)
    high = instruction("maximum", 30, length_s=60, max_mw=40.0, standing_mw=40.0)
    gateway.hear(instructions(low, high))
    assert gateway.words(1, 11, CONSTRAINT, 6) == [*GOOD, *f32(5), *NAN]
    assert gateway.words(31, 11, CONSTRAINT, 6) == [*GOOD, *f32(5), *f32(40)]
    assert gateway.words(61, 11, CONSTRAINT, 6) == [*GOOD, *NAN, *f32(40)]


def test_a_fixed_constraint_is_both_and_one_that_leaves_nothing_beside_another_is_in_doubt(gateway):
    fixed = instruction("fixed", 0, min_mw=20.0, max_mw=20.0, standing_mw=20.0)
    gateway.hear(instructions(fixed))
    assert gateway.words(1, 11, CONSTRAINT, 6) == [*GOOD, *f32(20), *f32(20)]
    gateway.hear(instructions(fixed, instruction("minimum", 0, min_mw=30.0, standing_mw=30.0), said_s=2))
    assert gateway.words(2, 11, CONSTRAINT, 6) == [UNCERTAIN, INCOMPLETE, *f32(30), *f32(20)]


def test_of_several_of_one_kind_the_one_that_ads_received_last_counts(gateway):
    older = instruction("minimum", 0, min_mw=5.0, batch_received_at=at(-20))
    newer = instruction("minimum", -60, min_mw=3.0, length_s=600, batch_received_at=at(-10))
    gateway.hear(instructions(newer, older))
    assert gateway.words(1, 11, CONSTRAINT, 4) == [*GOOD, *f32(3)]


def test_two_of_one_kind_and_rank_that_instruct_otherwise_are_in_doubt(gateway):
    rank = {"batch_received_at": at(-20), "instruction_uid": "a"}
    one = instruction("maximum", 0, max_mw=5.0, **rank)
    gateway.hear(instructions(one, instruction("maximum", -60, length_s=600, max_mw=3.0, **{**rank, "instruction_uid": "b"})))
    assert gateway.words(1, 11, CONSTRAINT, 6) == [UNCERTAIN, INCOMPLETE, *NAN, *f32(3)]


@pytest.mark.parametrize("word", ["in doubt", "a word of a later version"])
def test_what_is_in_doubt_is_shown_as_uncertain_and_does_not_touch_other_kinds(gateway, word):
    doubtful = instruction("minimum", 0, min_mw=5.0, standing=word)
    gateway.hear(instructions(doubtful, instruction("as-award", 0, as_type="RU", award_mw=2.0)))
    assert gateway.words(1, 11, CONSTRAINT, 4) == [UNCERTAIN, INCOMPLETE, *f32(5)]
    assert gateway.words(1, 11, AWARD, 4) == [*GOOD, *f32(2)]
    assert gateway.words(1, 11, COUNTS, 3) == [UNCERTAIN, INCOMPLETE, 2]


def test_a_commitment_is_announced_counted_down_to_and_in_force_for_an_hour_without_an_end(gateway):
    gateway.hear(instructions(instruction("start-up", 100, length_s=None), instruction("shut-down", 200, length_s=None)))
    assert gateway.words(40, 11, 168, 2) == [1, 60]
    assert gateway.words(40, 11, COMMITMENT, 5) == [*GOOD, NOTHING, *NO_TIME]
    assert (gateway.words(100, 11, 168, 2), gateway.words(100, 11, COMMITMENT + 2, 3)) == ([2, 100], [1, *u32(100)])
    assert (gateway.words(200, 11, 168, 2), gateway.words(200, 11, COMMITMENT + 2, 3)) == ([NOTHING] * 2, [2, *u32(200)])


def test_awards_stand_by_their_type(gateway):
    kinds = [("RU", 1.5), ("RD", 2.5), ("SR", 3.5)]
    said = instructions(*[instruction("as-award", -i, as_type=kind, award_mw=mw) for i, (kind, mw) in enumerate(kinds)])
    gateway.hear(said)
    assert gateway.words(1, 11, AWARD, 6) == [*GOOD, *f32(1.5), *f32(2.5)]
    points = [{"address": 0, "quantity": "spinning_award_mw"}, {"address": 2, "quantity": "non_spinning_award_mw"}]
    assert shown_at(points, said) == [*f32(3.5), *NAN]


def test_a_test_and_a_transition_are_points():
    test = instruction("as-test", 0, standing_mw=7.0)
    to_2x1 = {"transition_from_config_id": "TEST_1x1", "transition_to_config_id": "TEST_2x1"}
    points = [
        {"address": 0, "quantity": "as_test"},
        {"address": 1, "quantity": "as_test_mw"},
        {"address": 3, "quantity": "next_transition_from", "length": 4},
        {"address": 7, "quantity": "next_transition_to", "length": 4},
        {"address": 11, "quantity": "next_transition_start"},
        {"address": 13, "quantity": "transition_to", "length": 4},
    ]
    words = shown_at(points, instructions(test, instruction("transition", 60, length_s=None, **to_2x1)))
    assert words[:3] == [1, *f32(7)]
    assert struct.pack(">8H", *words[3:11]) == b"TEST_1x1TEST_2x1"
    assert words[11:17] == [*u32(60), 0, 0, 0, 0]


def test_what_another_source_knows_to_be_withdrawn_does_not_count(gateway):
    award = instruction("as-award", 0, as_type="RU", award_mw=2.0, revision_no=1)
    gone = WithdrawnBatch(batch_uid=award.batch_uid, until=at(300), revision_no=1)
    gateway.hear(instructions(award))
    gateway.hear(status(1, instance="b"), instructions(source="ads_ingest/b", said_s=1, withdrawn=(gone,)))
    assert gateway.words(1, 11, AWARD, 4) == [*GOOD, *NAN]


def test_two_sources_that_say_one_instruction_otherwise_leave_it_in_doubt(gateway):
    award = {"as_type": "RU", "batch_received_at": at(-5)}
    gateway.hear(instructions(instruction("as-award", 0, award_mw=2.0, told_at=at(-3), **award)))
    gateway.hear(status(1, instance="b"))
    gateway.hear(instructions(instruction("as-award", 0, award_mw=2.0, **award), source="ads_ingest/b", said_s=1))
    assert gateway.words(1, 11, AWARD, 4) == [*GOOD, *f32(2)]
    gateway.hear(instructions(instruction("as-award", 0, award_mw=9.0, **award), source="ads_ingest/b", said_s=2))
    assert gateway.words(2, 11, AWARD, 2) == [UNCERTAIN, INCOMPLETE]


def test_instructions_are_bad_when_caiso_was_not_heard_for_too_long_and_nothing_counts_down():
    gateway = Gateway(**{**PLANT, "stale_after_s": 90})
    gateway.hear(status(0), instructions(instruction("dot", 600, answer=OPEN), instruction("start-up", 300)))
    assert gateway.words(90, 11, COUNTS, 9) == [*GOOD, 0, 2, 1, 30, 2, 1, 210]
    assert gateway.words(91, 11, COUNTS, 9) == [0, 1 << 1, NOTHING, NOTHING, NOTHING, NOTHING, 2, NOTHING, NOTHING]


def test_what_a_source_that_is_gone_listed_without_an_end_is_over_when_it_would_have_been_shown_no_more(gateway):
    gateway.hear(instructions(instruction("shut-down", 0, length_s=None), source="ads_ingest/b"))
    for said_s in range(5, 3605, 450):
        gateway.hear(status(said_s), instructions(said_s=said_s))
    assert gateway.words(3599, 11, COMMITMENT, 3)[0] == 0
    gateway.hear(status(3600), instructions(said_s=3600))
    assert gateway.words(3600, 11, COMMITMENT, 3) == [*GOOD, NOTHING]


@pytest.mark.parametrize(
    ("said", "quality", "doubted"),
    [
        (instruction("minimum", 0, standing_mw=5.0), "constraint", True),
        (instruction("maximum", 0), "constraint", True),
        (instruction("fixed", 0, min_mw=5.0, max_mw=5.0), "constraint", True),
        (instruction("minimum", 0, standing="not in force"), "constraint", False),
        (instruction("as-award", 0, as_type="RU"), "as_award", True),
        (instruction("as-award", 0, award_mw=5.0), "as_award", True),
        (instruction("as-award", 0, award_mw=5.0, as_type="XX"), "as_award", True),
        (instruction("as-award", 0, award_mw=5.0, as_type="XX", standing="not in force"), "as_award", False),
        (instruction("as-award", 100, award_mw=5.0, as_type="XX"), "as_award", False),
        (instruction("as-test", 0), "as_test", True),
        (instruction("as-award", 0, award_mw=5.0, as_type="LFU"), "as_award", False),
        (instruction("transition", 0, transition_to_config_id="2x1"), "transition", False),
        (instruction("transition", 100, transition_from_config_id="1x1"), "transition", True),
        (instruction("start-up", 0), "commitment", False),
    ],
)
def test_an_instruction_that_does_not_say_what_one_of_its_kind_does_is_not_as_good_as_none(said, quality, doubted):
    points = [{"address": 0, "quantity": f"{quality}_quality"}, {"address": 1, "quantity": f"{quality}_reasons"}]
    assert shown_at(points, instructions(said), registers=1) == ([UNCERTAIN, INCOMPLETE] if doubted else GOOD)
