"""What two accounts are told of one resource in one revision, and not the same, reads as in doubt until CAISO settles it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ads_bench import INSTALLATION, RECHECK, T0, timed_out
from ads_fake import Batch
from ads_two_accounts import NAMES, Two

from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Instructions
from historian.write.reading.record import Recorded, Recorder

IN_DOUBT = ("incomplete",)
BOTH_ORDERS = pytest.mark.parametrize("order", [NAMES, NAMES[::-1]])
UNTIL = f"<endTime>{(T0 + timedelta(hours=1)).isoformat()}</endTime>"
SEGMENT = "<instructionDetail><serviceType>SUPP</serviceType><mw>-1</mw></instructionDetail>"
DECLINED = "<acceptStatus>DECLINED</acceptStatus>"
SECOND_DOT = (
    "<instruction instructionUID='B1-more'><resourceId>R1</resourceId><instructionType>0</instructionType><dot>7</dot>"
    f"<startTime>{(T0 + timedelta(minutes=30)).isoformat()}</startTime>{UNTIL}<statusCode>1</statusCode></instruction>"
)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    made = Two(tmp_path)
    yield made
    made.outbox.close()


def of(mw: float, revision: int = 1, **more: object) -> Batch:
    return Batch("B1", T0, {"R1": mw}, revision, told=UNTIL, **more)  # type: ignore[arg-type]


def tell(two: Two, east: Batch, west: Batch) -> None:
    two.ads["east"].batches, two.ads["west"].batches = [east], [west]


@BOTH_ORDERS
@pytest.mark.parametrize(
    "other",
    [of(55.0), of(40.0, also=SECOND_DOT), of(40.0, detail=SEGMENT)],
    ids=["other megawatts", "an instruction more", "another segment"],
)
def test_what_two_accounts_are_told_differently_in_one_revision_is_in_doubt_whatever_the_order(
    two: Two, order: tuple[str, ...], other: Batch
) -> None:
    tell(two, of(40.0), other)
    for _ in range(4):
        two.round(RECHECK, order)
        assert two.dot("R1").reasons == IN_DOUBT
    assert sorted(event.count("/") for event in two.events()) == [3, 4], "both are told, and told apart"


def test_the_historian_keeps_both_of_what_contradicts_each_other(two: Two) -> None:
    tell(two, of(40.0), of(55.0))
    for _ in range(3):
        two.round(RECHECK)
    recorder = Recorder(INSTALLATION.topics)
    first, second = (recorder.record(each.topic, each.payload) for each in two.outbox.between(1, 10, 10))
    assert isinstance(first, Recorded)
    assert isinstance(second, Recorded)
    assert first.key == second.key
    assert first.digest != second.digest, "which it tells as a contradiction"


@BOTH_ORDERS
def test_what_only_one_account_is_told_to_do_is_in_doubt_and_good_once_both_are(two: Two, order: tuple[str, ...]) -> None:
    tell(two, of(40.0), replace(of(40.0), told=UNTIL + DECLINED))
    for _ in range(3):
        two.round(RECHECK, order)
        assert two.dot("R1").reasons == IN_DOUBT
    tell(two, of(40.0), of(40.0))
    for _ in range(3):
        two.round(RECHECK, order)
    assert (two.dots("R1"), two.dot("R1").reasons, two.dot("R1").withdrawn) == ([("B1", 40.0)], (), ())


@BOTH_ORDERS
def test_a_higher_revision_settles_a_contradiction(two: Two, order: tuple[str, ...]) -> None:
    tell(two, of(40.0), of(55.0))
    two.round(names=order)
    tell(two, of(50.0, 2), of(55.0))
    two.round(RECHECK, order)
    two.round(RECHECK, order)
    assert (two.dots("R1"), two.dot("R1").reasons) == ([("B1", 50.0)], ())


@BOTH_ORDERS
def test_accounts_that_are_told_the_same_when_they_ask_again_agree(two: Two, order: tuple[str, ...]) -> None:
    tell(two, of(40.0), of(55.0))
    two.round(names=order)
    tell(two, of(55.0), of(55.0))
    two.round(RECHECK, order)
    two.round(RECHECK, order)
    assert (two.dots("R1"), two.dot("R1").reasons) == ([("B1", 55.0)], ())


@BOTH_ORDERS
def test_a_cancel_is_the_last_word_of_a_revision(two: Two, order: tuple[str, ...]) -> None:
    tell(two, of(40.0), of(55.0))
    two.round(names=order)
    tell(two, of(40.0, status=4), of(55.0))
    for _ in range(3):
        two.round(RECHECK, order)
    assert (two.dots("R1"), two.dot("R1").reasons) == ([], ())


@pytest.mark.parametrize("heard_first", NAMES)
def test_a_restart_forgets_no_contradiction(two: Two, heard_first: str) -> None:
    tell(two, of(40.0), of(55.0))
    two.round()
    two.restart()
    other = next(name for name in NAMES if name != heard_first)
    for _ in range(2):
        two.round(RECHECK, (heard_first,))
        assert two.dot("R1").reasons == IN_DOUBT, "before the other account was heard again"
    two.ads[other].troubles["getDispatchBatch", None] = timed_out
    two.round(RECHECK)
    assert two.dot("R1").reasons == IN_DOUBT
    two.ads[other].troubles.clear()
    for _ in range(6):
        two.round(RECHECK)
        assert two.dot("R1").reasons == IN_DOUBT
    tell(two, of(55.0), of(55.0))
    two.round(RECHECK)
    two.round(RECHECK)
    two.restart()
    for _ in range(2):
        two.round(RECHECK)
    assert (two.dots("R1"), two.dot("R1").reasons) == ([("B1", 55.0)], ())


@BOTH_ORDERS
def test_instructions_that_contradict_each_other_are_in_doubt_and_speak_against_no_dot(
    two: Two, order: tuple[str, ...]
) -> None:
    tell(two, of(40.0, batch_type=2, instruction_type=1), of(55.0, batch_type=2, instruction_type=1))
    for _ in range(3):
        two.round(RECHECK, order)
        payload = two.outbox.states()[INSTALLATION.topics.instructions("north", "R1")]
        assert decode_as(payload, Instructions).reasons == IN_DOUBT
        assert two.dot("R1").reasons == ()


@BOTH_ORDERS
def test_accounts_that_are_named_different_resources_of_one_batch_do_not_contradict_each_other(
    two: Two, order: tuple[str, ...]
) -> None:
    two.both(1, east={"R1": 1.0}, west={"R2": 2.0})
    for _ in range(3):
        two.round(RECHECK, order)
    assert (two.dots("R1"), two.dots("R2")) == ([("B1", 1.0)], [("B1", 2.0)])
    assert (two.dot("R1").reasons, two.dot("R2").reasons) == ((), ())


@BOTH_ORDERS
@pytest.mark.parametrize("revision", [1, 2], ids=["in the same revision", "in the next one"])
def test_a_cancel_that_one_account_knows_by_its_header_alone_stays_whatever_the_other_agrees_with_meanwhile(
    two: Two, order: tuple[str, ...], revision: int
) -> None:
    tell(two, of(40.0), of(55.0))
    for _ in range(2):
        two.round(RECHECK, order)
    assert two.dot("R1").reasons == IN_DOUBT
    tell(two, of(40.0, revision, status=4), of(40.0))
    two.ads["east"].troubles["getDispatchBatch", "B1"] = timed_out
    for _ in range(4):
        two.round(RECHECK, order)
        assert two.dots("R1") == []
        assert [batch.batch_uid for batch in two.dot("R1").withdrawn] == ["B1"]


@BOTH_ORDERS
def test_after_a_restart_what_an_account_was_told_is_read_again_before_another_is_believed(
    two: Two, order: tuple[str, ...]
) -> None:
    tell(two, of(40.0, status=None), of(40.0, status=None))
    two.ads["west"].batches = []
    two.round(RECHECK, order)
    two.restart()
    tell(two, of(40.0, status=None), of(55.0, status=None))
    for _ in range(3):
        two.round(RECHECK, order)
    assert two.dot("R1").reasons == IN_DOUBT


@BOTH_ORDERS
def test_what_one_account_is_told_is_cancelled_does_not_come_back_by_anothers_older_answer_without_a_revision(
    two: Two, order: tuple[str, ...]
) -> None:
    bare = replace(of(10.0), revision_no=None)
    tell(two, bare, bare)
    two.round(RECHECK, order)
    two.ads["east"].batches = [replace(bare, status=4)]
    two.round(RECHECK, ("east",))
    assert two.dots("R1") == []
    two.ads["west"].batches = [replace(bare, status=3)]
    two.round(RECHECK, ("west",))
    assert two.dots("R1") == []
