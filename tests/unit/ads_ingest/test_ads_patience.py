"""While CAISO is silent about what is known, what is new comes soon; and a CAISO that is slow is heard all the same."""

import contextlib
import math
import random
import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from statistics import median

import pytest
from ads_bench import MINUTE, RECHECK, T0, Bench, batch, timed_out, trajectory
from ads_fake import Trouble
from ads_replies import fault

from ads_ingest.caiso import AFTER_ALL_IN_VAIN, AGAIN_IN_VAIN, WITHIN_S
from ads_ingest.quarantine import QuarantineLog
from ads_ingest.service import FollowedStream, Loop
from caiso.ads.errors import CutShort, HttpRefused, TimedOut
from caiso.ads.records import Question

POLL_S = 10.0
TIMEOUT_S = 30.0
EVERY_S = 37.0
OPEN = 20
LONG_S = 1500.0


def silent(bench: Bench) -> Callable[[Question], Trouble]:
    def trouble(question: Question) -> Trouble:
        bench.later(timedelta(seconds=min(question.within_s, TIMEOUT_S)))
        return TimedOut(question, "no reply")

    return trouble


def slow(bench: Bench, operation: str, takes_s: float) -> Callable[[Question], Trouble]:
    def trouble(question: Question) -> Trouble:
        bench.later(timedelta(seconds=min(question.within_s, takes_s)))
        if question.within_s < takes_s:
            return TimedOut(question, "no reply")
        answer: bytes = getattr(bench.ads, f"_{operation}")(question.batch_uid)
        return answer

    return trouble


class Issuing:
    """CAISO issues a batch every so many seconds, whatever is being asked; the question for each fails once."""

    def __init__(self, bench: Bench, *, fails_once: bool, every_s: float = EVERY_S) -> None:
        self.issued_s: dict[str, float] = {}
        self._bench = bench
        self._fails_once = fails_once
        self._numbers = count(100)
        self._every_s = every_s
        self._next_s = bench.monotonic_s + every_s
        bench.ads.on_question = lambda _question: self.issue()

    def issue(self) -> None:
        while self._next_s <= self._bench.monotonic_s:
            new = batch(next(self._numbers), at=T0 + 60 * MINUTE)
            self._bench.ads.batches.append(new)
            self.issued_s[new.batch_uid] = self._next_s
            self._next_s += self._every_s
            if self._fails_once:
                self._bench.ads.troubles["getDispatchBatch", new.batch_uid] = self._fail

    def _fail(self, question: Question) -> Trouble:
        del self._bench.ads.troubles["getDispatchBatch", question.batch_uid]
        return HttpRefused(question, "status 503")

    def waits_s(self) -> list[float]:
        """Of each batch from its issue to its event."""
        had_s = {event.batch.batch_uid: (event.time - T0).total_seconds() for event in reversed(self._bench.dispatches())}
        settled = (uid for uid, at_s in self.issued_s.items() if at_s < self._bench.monotonic_s - 60)
        return [had_s[uid] - self.issued_s[uid] for uid in settled]


def follow(bench: Bench) -> None:
    """Both streams in one thread, as an account's are."""
    streams = [
        FollowedStream(name, stream, QuarantineLog(bench.quarantine), clock=lambda: bench.now)  # type: ignore[arg-type]
        for name, stream in (("dispatch", bench.dispatch), ("trajectory", bench.trajectory))
    ]
    clocks = {"clock": lambda: bench.now, "monotonic_s": lambda: bench.monotonic_s}
    loop = Loop(streams, POLL_S, chance=lambda: 0.0, **clocks)  # type: ignore[arg-type]
    while bench.monotonic_s < LONG_S:
        bench.later(timedelta(seconds=max(loop.turn(threading.Event()), 0.01)))


@pytest.mark.parametrize("document", ["fails once", "comes"])
@pytest.mark.parametrize("operation", ["getBatchHeader", "isNewTrajData"])
def test_a_new_batch_is_an_event_within_three_polls_while_other_questions_time_out(
    bench: Bench, operation: str, document: str
) -> None:
    """All but those that meet the one question in five minutes that has all its time; they wait for that one besides."""
    bench.ads.batches = [batch(n, at=T0 + 60 * MINUTE) for n in range(1, OPEN + 1)]
    bench.round()
    bench.ads.troubles[operation, None] = silent(bench)
    issuing = Issuing(bench, fails_once=document == "fails once")
    follow(bench)
    waits_s = issuing.waits_s()
    assert len(waits_s) > 30
    assert median(waits_s) <= 3 * POLL_S
    late_s = [wait_s for wait_s in waits_s if wait_s > 3 * POLL_S]
    assert len(late_s) <= LONG_S / AGAIN_IN_VAIN.total_seconds()
    assert max(waits_s) <= 3 * POLL_S + TIMEOUT_S


def faltering(bench: Bench, share: float, chance: random.Random) -> Callable[[Question], Trouble]:
    """A part of all answers fails: half of them with status 503, a sixth each with a fault, cut, and by no answer in time."""

    def trouble(question: Question) -> Trouble:
        bench.later(timedelta(seconds=0.03))
        drawn = chance.random() / share
        if drawn < 1 / 2:
            return HttpRefused(question, "status 503")
        if drawn < 2 / 3:
            return fault("something is wrong")
        if drawn < 5 / 6:
            return CutShort(question, "cut")
        if drawn < 1:
            return silent(bench)(question)
        answer: bytes = getattr(bench.ads, f"_{question.operation}")(question.batch_uid)
        return answer

    return trouble


def hanging(bench: Bench, share: float, chance: random.Random) -> Callable[[Question], Trouble]:
    """A part of all answers does not come, however long it is waited for."""

    def trouble(question: Question) -> Trouble:
        bench.later(timedelta(seconds=0.03))
        if chance.random() < share:
            return silent(bench)(question)
        answer: bytes = getattr(bench.ads, f"_{question.operation}")(question.batch_uid)
        return answer

    return trouble


@pytest.mark.parametrize("fails", [faltering, hanging])
def test_of_new_batches_99_in_100_are_events_within_three_polls_while_15_percent_of_all_answers_fail(
    bench: Bench, fails: Callable[[Bench, float, random.Random], Callable[[Question], Trouble]]
) -> None:
    chance = random.Random(0)
    bench.ads.batches = [batch(n, at=T0 + 60 * MINUTE) for n in range(1, OPEN + 1)]
    bench.round()
    for operation in ("getDispatchBatchesSinceUID", "getDispatchBatch", "getBatchHeader", "isNewTrajData"):
        bench.ads.troubles[operation, None] = fails(bench, 0.15, chance)
    issuing = Issuing(bench, fails_once=False, every_s=13.0)
    follow(bench)
    waits_s = sorted(issuing.waits_s())
    assert len(waits_s) > 100
    assert waits_s[int(len(waits_s) * 0.99)] < 3 * POLL_S
    assert median(waits_s) < POLL_S


def test_a_failure_that_is_no_time_out_gives_the_next_question_no_more_time(bench: Bench) -> None:
    bench.ads.batches = [batch(1, at=T0 + 60 * MINUTE)]
    bench.round()
    bench.ads.troubles["getBatchHeader", None] = lambda question: HttpRefused(question, "status 503")
    for _ in range(4):
        bench.round(RECHECK)
    asked = [question.within_s for question in bench.ads.asked if question.operation == "getBatchHeader"]
    assert set(asked) == {WITHIN_S[0]}


@pytest.mark.parametrize("operation", ["getDispatchBatchesSinceUID", "getDispatchBatch"])
def test_what_brings_new_batches_has_little_time_at_first_then_more_and_then_all_of_it(bench: Bench, operation: str) -> None:
    bench.ads.batches = [batch(1)]
    bench.round()
    bench.ads.batches.append(batch(2))
    bench.ads.asked.clear()
    bench.ads.troubles[operation, None] = timed_out
    for _ in range(len(WITHIN_S) + 2):
        with contextlib.suppress(TimedOut):
            bench.round(MINUTE)
    asked = [question.within_s for question in bench.ads.asked if question.operation == operation]
    assert asked == [*WITHIN_S, *2 * WITHIN_S[-1:]]


def test_all_that_caiso_has_is_a_large_answer_and_has_all_the_time(bench: Bench) -> None:
    bench.ads.batches, bench.ads.trajectories = [batch(1)], [trajectory("T1", 0, (5, 10.0))]
    bench.round()
    bench.trajectory.round()
    bench.ads.asked.clear()
    bench.ads.batches, bench.ads.trajectories = [batch(2)], [trajectory("T2", 1, (10, 20.0))]  # it forgot the others
    bench.round(MINUTE)
    bench.trajectory.round()
    listed = ("getDispatchBatchesSinceUID", "getTrajectoryData")
    whole = [question.within_s for question in bench.ads.asked if question.operation in listed and question.batch_uid == "-1"]
    assert whole == [math.inf, math.inf]


def test_a_batch_that_cannot_be_had_keeps_no_open_one_from_being_confirmed(bench: Bench) -> None:
    bench.ads.batches = [batch(1, at=T0 + 60 * MINUTE)]
    bench.round()
    bench.ads.batches.append(batch(2, at=T0 + 60 * MINUTE))
    bench.ads.troubles["getDispatchBatch", "B2"] = silent(bench)
    for _ in range(6):
        asked = bench.ads.operations().count("getBatchHeader")
        bench.round(RECHECK)
        assert bench.ads.operations().count("getBatchHeader") == asked + 1


def test_a_header_that_comes_slowly_is_heard_when_it_is_asked_for_again_and_then_always(bench: Bench) -> None:
    bench.ads.batches = [batch(1, at=T0 + 60 * MINUTE)]
    bench.round()
    bench.ads.troubles["getBatchHeader", None] = slow(bench, "getBatchHeader", 12.0)
    failed = [bool(bench.round(RECHECK)) for _ in range(8)]
    in_vain = sum(within_s < 12.0 for within_s in WITHIN_S)
    assert failed == [*in_vain * [True], *(8 - in_vain) * [False]]


@pytest.mark.parametrize("operation", ["isNewTrajData", "getTrajectoryData"])
def test_trajectories_that_come_slowly_are_heard_when_they_are_asked_for_again(bench: Bench, operation: str) -> None:
    bench.ads.trajectories = [trajectory("T0", 0, (5, 10.0))]
    bench.trajectory.round()
    bench.ads.trajectories.append(trajectory("T1", 0, (5, 10.0)))
    bench.ads.troubles[operation, None] = slow(bench, operation, 12.0)
    for within_s in WITHIN_S:
        if within_s < 12.0:
            with pytest.raises(TimedOut):
                bench.trajectory.round()
    for uid in ("T2", "T3"):
        bench.trajectory.round()
        bench.ads.trajectories.append(trajectory(uid, 1, (10, 20.0)))
        bench.later(RECHECK)
    bench.trajectory.round()
    assert bench.outbox.cursors()["trajectory"] == "T3"


def test_after_all_the_time_was_in_vain_questions_of_its_kind_are_short_for_five_minutes(bench: Bench) -> None:
    bench.ads.troubles["isNewTrajData", None] = timed_out
    for _ in range(24):
        with pytest.raises(TimedOut):
            bench.trajectory.round()
        bench.later(RECHECK)
    long = [number for number, question in enumerate(bench.ads.asked) if question.within_s > WITHIN_S[AFTER_ALL_IN_VAIN]]
    assert long == [3, 4, 14]
