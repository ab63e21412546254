"""Validations are sent until CAISO does not answer, and a refused one is given up after a while."""

from datetime import timedelta
from itertools import pairwise

import pytest
from ads_fake import Batch, FakeAds, Trouble
from ads_replies import fault

from ads_ingest.batches.open_batches import OpenBatches
from ads_ingest.batches.validations import ATTEMPTS, MOST_ROUNDS_PASSED, Validations
from caiso.ads import AdsClient
from caiso.ads.errors import TimedOut
from caiso.ads.records import Question
from dotbus.contracts.messages import DispatchBatchHeader
from dotbus.testing import samples

RECHECK = timedelta(seconds=30)
OWED = ("B1", "B2", "B3")


@pytest.fixture
def ads() -> FakeAds:
    fake = FakeAds()
    fake.batches = [Batch(uid, samples.AT, {"R1": 1.0}) for uid in OWED]
    return fake


class Owing:
    """Three batches that are safe, and who tells CAISO so."""

    def __init__(self, ads: FakeAds, *, enabled: bool = True) -> None:
        self._validations = Validations(AdsClient(ads, max_bytes=10**6), enabled=enabled)
        self._batches = OpenBatches(RECHECK, RECHECK, lambda: 0.0)
        for batch_uid in OWED:
            header = DispatchBatchHeader(batch_uid=batch_uid)
            self._batches.note_told(header, samples.AT)
            self._batches.note_had(header, None, (), samples.AT)

    def send(self) -> None:
        self._validations.send(self._batches)


def asked(ads: FakeAds) -> list[str]:
    return [question.batch_uid for question in ads.asked]


def timed_out(question: Question) -> Trouble:
    return TimedOut(question, "no reply")


def refused(_question: Question) -> Trouble:
    return fault("no such batch")


def test_while_caiso_does_not_answer_validations_it_is_asked_less_and_less_and_that_is_told_once(
    ads: FakeAds, capsys: pytest.CaptureFixture[str]
) -> None:
    ads.troubles["validateDispatchBatch", None] = timed_out
    owing = Owing(ads)
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
    assert capsys.readouterr().out.count("] validations wait ") == 1
    ads.troubles.clear()
    before = len(asked(ads))
    for _ in range(MOST_ROUNDS_PASSED + 1):
        owing.send()
    assert sorted(asked(ads)[before:]) == ["B1", "B2", "B3"]


def test_a_validation_that_caiso_never_answers_keeps_no_other_waiting_for_ever(ads: FakeAds) -> None:
    ads.troubles["validateDispatchBatch", "B1"] = timed_out
    owing = Owing(ads)
    for _ in range(3):
        owing.send()
    assert ads.validated == {"B2": 1, "B3": 1}


def test_a_refused_validation_keeps_no_other_waiting_and_is_given_up(ads: FakeAds) -> None:
    ads.troubles["validateDispatchBatch", "B1"] = refused
    owing = Owing(ads)
    for _ in range(ATTEMPTS + 2):
        owing.send()
    assert sorted(asked(ads)) == ["B1"] * ATTEMPTS + ["B2", "B3"]


def test_whoever_wants_no_validations_sends_none(ads: FakeAds) -> None:
    Owing(ads, enabled=False).send()
    assert asked(ads) == []
