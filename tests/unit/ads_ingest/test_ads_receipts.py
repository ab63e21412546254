"""Receipts are sent until CAISO does not answer, and a refused one is given up after a while."""

from itertools import pairwise

import pytest
from ads_fake import Batch, FakeAds, Trouble
from ads_replies import fault

from ads_ingest.caiso import Caiso
from ads_ingest.faults import TimedOut
from ads_ingest.receipts import ATTEMPTS, MOST_ROUNDS_PASSED, Receipts
from ads_ingest.records import Question
from dotbus.testing import samples

OWED = ("B1", "B2", "B3")


@pytest.fixture
def ads() -> FakeAds:
    fake = FakeAds()
    fake.batches = [Batch(uid, samples.AT, {"R1": 1.0}) for uid in OWED]
    return fake


def receipts(ads: FakeAds, *, enabled: bool = True) -> Receipts:
    owing = Receipts(Caiso(ads, 10**6), enabled=enabled)
    for batch_uid in OWED:
        owing.owe(batch_uid)
    return owing


def asked(ads: FakeAds) -> list[str]:
    return [question.batch_uid for question in ads.asked]


def timed_out(question: Question) -> Trouble:
    return TimedOut(question, "no reply")


def refused(_question: Question) -> Trouble:
    return fault("no such batch")


def test_while_caiso_does_not_answer_receipts_it_is_asked_less_and_less_and_that_is_told_once(
    ads: FakeAds, capsys: pytest.CaptureFixture[str]
) -> None:
    ads.troubles["validateDispatchBatch", None] = timed_out
    owing = receipts(ads)
    questions = []
    for _ in range(100):
        owing.send()
        questions.append(len(asked(ads)))
    rounds = [number for number in range(100) if questions[number] > (questions[number - 1] if number else 0)]
    pauses = [later - sooner for sooner, later in pairwise(rounds)]
    assert rounds[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[0] == 1
    assert pauses[-1] == MOST_ROUNDS_PASSED + 1
    assert capsys.readouterr().out.count("] receipts wait ") == 1
    ads.troubles.clear()
    before = len(asked(ads))
    for _ in range(MOST_ROUNDS_PASSED + 1):
        owing.send()
    assert asked(ads)[before:] == ["B1", "B2", "B3"]


def test_a_refused_receipt_keeps_no_other_waiting_and_is_given_up(ads: FakeAds) -> None:
    ads.troubles["validateDispatchBatch", "B1"] = refused
    owing = receipts(ads)
    for _ in range(ATTEMPTS + 2):
        owing.send()
    assert sorted(asked(ads)) == ["B1"] * ATTEMPTS + ["B2", "B3"]


def test_whoever_wants_no_receipts_sends_none(ads: FakeAds) -> None:
    receipts(ads, enabled=False).send()
    assert asked(ads) == []
