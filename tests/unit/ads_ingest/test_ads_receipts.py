"""Receipts are sent until CAISO does not answer, and a refused one is given up after a while."""

import pytest
from ads_fake import Batch, FakeAds, Trouble
from ads_replies import fault

from ads_ingest.caiso import Caiso
from ads_ingest.faults import TimedOut
from ads_ingest.receipts import ATTEMPTS, Receipts
from ads_ingest.records import Question
from dotbus.testing import samples

OWED = ("B1", "B2", "B3")


@pytest.fixture
def ads() -> FakeAds:
    fake = FakeAds()
    fake.batches = [Batch(uid, samples.AT, {"R1": 1.0}) for uid in OWED]
    return fake


def receipts(ads: FakeAds, *, enabled: bool = True) -> Receipts:
    return Receipts(Caiso(ads, 10**6), enabled=enabled, owed=OWED)


def asked(ads: FakeAds) -> list[str]:
    return [question.batch_uid for question in ads.asked]


def timed_out(question: Question) -> Trouble:
    return TimedOut(question, "no reply")


def refused(_question: Question) -> Trouble:
    return fault("no such batch")


def test_while_caiso_is_away_one_question_a_round_is_enough(ads: FakeAds) -> None:
    ads.troubles["validateDispatchBatch", None] = timed_out
    owing = receipts(ads)
    owing.send()
    owing.send()
    assert asked(ads) == ["B1", "B1"]
    ads.troubles.clear()
    owing.send()
    owing.send()
    assert asked(ads)[2:] == ["B1", "B2", "B3"]


def test_a_refused_receipt_keeps_no_other_waiting_and_is_given_up(ads: FakeAds) -> None:
    ads.troubles["validateDispatchBatch", "B1"] = refused
    owing = receipts(ads)
    for _ in range(ATTEMPTS + 2):
        owing.send()
    assert sorted(asked(ads)) == ["B1"] * ATTEMPTS + ["B2", "B3"]


def test_whoever_wants_no_receipts_sends_none(ads: FakeAds) -> None:
    receipts(ads, enabled=False).send()
    assert asked(ads) == []
